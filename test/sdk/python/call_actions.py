"""Calls any actions with the Python SDK, one after the other.

Standard input: {"endpoint", "secretId", "secretKey", "token"?, "signMethod", "reqMethod", "unsignedPayload"?, "apigwEndpoint"?,
"language"?, "skipSign"?, "calls": [{"action", "params"}]}. Standard output: a list with what each call answered. An action is
called by its method; by the SDK's call by name where there is none, or where the signature is left out: only that call can.
"""

import json
import sys

from tencentcloud.ckafka.v20190819 import ckafka_client, models
from tencentcloud.common import credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile


def client_of(session):
    http = HttpProfile(
        protocol="http", endpoint=session["endpoint"], reqMethod=session["reqMethod"]
    )
    http.apigw_endpoint = session.get("apigwEndpoint")
    settings = {"language": session["language"]} if "language" in session else {}
    profile = ClientProfile(signMethod=session["signMethod"], httpProfile=http, **settings)
    profile.unsignedPayload = session.get("unsignedPayload", False)
    keys = credential.Credential(
        session["secretId"], session["secretKey"], session.get("token")
    )
    return ckafka_client.CkafkaClient(keys, "ap-guangzhou", profile)


def run(client, action, params, skip_sign):
    method = getattr(client, action, None)
    if method is None or skip_sign:
        options = {"SkipSign": skip_sign}
        return client.call_json(action, params, options=options)["Response"]
    request = getattr(models, action + "Request")()
    request.from_json_string(json.dumps(params))
    return json.loads(method(request).to_json_string())


def main():
    session = json.load(sys.stdin.buffer)
    client = client_of(session)
    answers = []
    for call in session["calls"]:
        try:
            skip_sign = session.get("skipSign", False)
            answers.append({"response": run(client, call["action"], call["params"], skip_sign)})
        except TencentCloudSDKException as e:
            error = {"code": e.code, "message": str(e.message), "requestId": e.requestId}
            answers.append({"error": error})
    print(json.dumps(answers))


main()
