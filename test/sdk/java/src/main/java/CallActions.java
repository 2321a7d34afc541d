// Calls any actions with the SDK of the tutorial, one after the other. Standard input: {"endpoint", "secretId", "secretKey",
// "token"?, "signMethod", "reqMethod", "unsignedPayload"?, "language"?, "calls": [{"action", "params"}]}. Standard output: a line
// of JSON with what each call answered. An action that this SDK has a method for is called by it, the others by the SDK's own call
// by name, which signs TC3 over POST whatever the profile says: it is refused in another mode. This SDK has no gateway's address
// and can't leave the signature out; both are refused.

import com.google.gson.Gson;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.tencentcloudapi.ckafka.v20190819.CkafkaClient;
import com.tencentcloudapi.common.AbstractModel;
import com.tencentcloudapi.common.Credential;
import com.tencentcloudapi.common.exception.TencentCloudSDKException;
import com.tencentcloudapi.common.profile.ClientProfile;
import com.tencentcloudapi.common.profile.HttpProfile;
import com.tencentcloudapi.common.profile.Language;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

public class CallActions {
  private static final String MODELS = "com.tencentcloudapi.ckafka.v20190819.models.";

  private static class Session {
    String endpoint;
    String secretId;
    String secretKey;
    String token;
    String signMethod;
    String reqMethod;
    boolean unsignedPayload;
    String language;
    String apigwEndpoint;
    boolean skipSign;
    Call[] calls;
  }

  private static class Call {
    String action;
    JsonElement params;
  }

  public static void main(String[] args) throws Exception {
    String input = new String(System.in.readAllBytes(), StandardCharsets.UTF_8);
    Session session = new Gson().fromJson(input, Session.class);
    CkafkaClient client = clientOf(session);
    List<JsonElement> answers = new ArrayList<>();
    for (Call call : session.calls) {
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

  private static CkafkaClient clientOf(Session session) {
    if (session.apigwEndpoint != null || session.skipSign) {
      throw new IllegalArgumentException("this SDK has no apigwEndpoint and no skipSign");
    }
    HttpProfile httpProfile = new HttpProfile();
    httpProfile.setProtocol("http://");
    httpProfile.setEndpoint(session.endpoint);
    httpProfile.setReqMethod(session.reqMethod);
    ClientProfile profile = new ClientProfile(session.signMethod, httpProfile);
    profile.setUnsignedPayload(session.unsignedPayload);
    for (Language language : Language.values()) {
      if (language.getValue().equals(session.language)) profile.setLanguage(language);
    }
    Credential credential =
        session.token == null
            ? new Credential(session.secretId, session.secretKey)
            : new Credential(session.secretId, session.secretKey, session.token);
    return new CkafkaClient(credential, "ap-guangzhou", profile);
  }

  private static JsonElement run(CkafkaClient client, Call call) throws Exception {
    String params = call.params.toString();
    Class<?> type;
    try {
      type = Class.forName(MODELS + call.action + "Request");
    } catch (ClassNotFoundException e) {
      return byName(client, call.action, params);
    }
    Method method = CkafkaClient.class.getMethod(call.action, type);
    try {
      Object response = method.invoke(client, AbstractModel.fromJsonString(params, type));
      return new JsonParser().parse(AbstractModel.toJsonString((AbstractModel) response));
    } catch (InvocationTargetException e) {
      throw (Exception) e.getCause();
    }
  }

  private static JsonElement byName(CkafkaClient client, String action, String params)
      throws TencentCloudSDKException {
    ClientProfile profile = client.getClientProfile();
    if (!profile.getSignMethod().equals(ClientProfile.SIGN_TC3_256)
        || !profile.getHttpProfile().getReqMethod().equals(HttpProfile.REQ_POST)) {
      throw new IllegalArgumentException(action + " can be called by name only: TC3, POST");
    }
    String body = client.call(action, params);
    return new JsonParser().parse(body).getAsJsonObject().get("Response");
  }
}
