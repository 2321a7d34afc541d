// The program of Tencent Cloud's tutorial "Connection to Kafka over HTTP", made runnable. Reads the
// messages from standard input and prints one line of JSON. Endpoint, protocol and keys are all it
// sets: whatever else the SDK does is left as its users have it.

import com.google.gson.Gson;
import com.tencentcloudapi.ckafka.v20190819.CkafkaClient;
import com.tencentcloudapi.ckafka.v20190819.models.BatchContent;
import com.tencentcloudapi.ckafka.v20190819.models.SendMessageRequest;
import com.tencentcloudapi.ckafka.v20190819.models.SendMessageResponse;
import com.tencentcloudapi.common.Credential;
import com.tencentcloudapi.common.exception.TencentCloudSDKException;
import com.tencentcloudapi.common.profile.ClientProfile;
import com.tencentcloudapi.common.profile.HttpProfile;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

public class SendMessages {
  // One element of the input: [{"Key": "…", "Body": "…"}], Key may be missing.
  private static class Message {
    String Key;
    String Body;
  }

  public static void main(String[] args) throws Exception {
    String input = new String(System.in.readAllBytes(), StandardCharsets.UTF_8);
    List<BatchContent> batchContentList = new ArrayList<>();
    for (Message message : new Gson().fromJson(input, Message[].class)) {
      BatchContent content = new BatchContent();
      if (message.Key != null) content.setKey(message.Key);
      content.setBody(message.Body);
      batchContentList.add(content);
    }

    HttpProfile httpProfile = new HttpProfile();
    httpProfile.setProtocol("http://");
    httpProfile.setEndpoint(System.getenv("ENDPOINT"));
    ClientProfile profile = new ClientProfile();
    profile.setHttpProfile(httpProfile);
    CkafkaClient client =
        new CkafkaClient(
            new Credential(System.getenv("SECRET_ID"), System.getenv("SECRET_KEY")),
            "ap-guangzhou",
            profile);

    SendMessageRequest messageRequest = new SendMessageRequest();
    messageRequest.setDataHubId(System.getenv("DATAHUB_ID"));
    messageRequest.setMessage(batchContentList.toArray(BatchContent[]::new));

    Map<String, Object> output = new LinkedHashMap<>();
    try {
      SendMessageResponse sendMessageResponse = client.SendMessage(messageRequest);
      output.put("messageIds", sendMessageResponse.getMessageId());
    } catch (TencentCloudSDKException e) {
      Map<String, String> error = new LinkedHashMap<>();
      error.put("code", e.getErrorCode());
      error.put("message", e.getMessage());
      error.put("requestId", e.getRequestId());
      output.put("error", error);
    }
    byte[] line = (new Gson().toJson(output) + "\n").getBytes(StandardCharsets.UTF_8);
    System.out.write(line);
    System.out.flush();
    // okhttp's idle threads would keep the process alive for a minute.
    System.exit(0);
  }
}
