// Calls any actions with the SDK of the tutorial, one after the other: [{"action": "…", "params": {…}}] on
// standard input, a line of JSON with what each answered on standard output. An action that this SDK has a
// method for is called by it, the others by the SDK's own call by name.

import com.google.gson.Gson;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.tencentcloudapi.ckafka.v20190819.CkafkaClient;
import com.tencentcloudapi.ckafka.v20190819.models.DescribeTopicDetailRequest;
import com.tencentcloudapi.ckafka.v20190819.models.DescribeTopicRequest;
import com.tencentcloudapi.ckafka.v20190819.models.FetchMessageByOffsetRequest;
import com.tencentcloudapi.common.AbstractModel;
import com.tencentcloudapi.common.Credential;
import com.tencentcloudapi.common.exception.TencentCloudSDKException;
import com.tencentcloudapi.common.profile.ClientProfile;
import com.tencentcloudapi.common.profile.HttpProfile;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

public class CallActions {
  private static class Call {
    String action;
    JsonElement params;
  }

  public static void main(String[] args) throws Exception {
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
    String input = new String(System.in.readAllBytes(), StandardCharsets.UTF_8);
    List<JsonElement> answers = new ArrayList<>();
    for (Call call : new Gson().fromJson(input, Call[].class)) {
      JsonObject answer = new JsonObject();
      try {
        answer.add("response", run(client, call));
      } catch (TencentCloudSDKException e) {
        JsonObject error = new JsonObject();
        error.addProperty("code", e.getErrorCode());
        error.addProperty("message", e.getMessage());
        error.addProperty("requestId", e.getRequestId());
        answer.add("error", error);
      }
      answers.add(answer);
    }
    System.out.write((new Gson().toJson(answers) + "\n").getBytes(StandardCharsets.UTF_8));
    System.out.flush();
    // okhttp's idle threads would keep the process alive for a minute.
    System.exit(0);
  }

  private static JsonElement run(CkafkaClient client, Call call) throws TencentCloudSDKException {
    String params = call.params.toString();
    switch (call.action) {
      case "FetchMessageByOffset":
        return typed(
            client.FetchMessageByOffset(
                AbstractModel.fromJsonString(params, FetchMessageByOffsetRequest.class)));
      case "DescribeTopic":
        return typed(
            client.DescribeTopic(AbstractModel.fromJsonString(params, DescribeTopicRequest.class)));
      case "DescribeTopicDetail":
        return typed(
            client.DescribeTopicDetail(
                AbstractModel.fromJsonString(params, DescribeTopicDetailRequest.class)));
      default:
        return new JsonParser().parse(client.call(call.action, params))
            .getAsJsonObject()
            .get("Response");
    }
  }

  private static JsonElement typed(AbstractModel response) {
    return new JsonParser().parse(AbstractModel.toJsonString(response));
  }
}
