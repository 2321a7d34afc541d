// Calls any actions with the common module of the Go SDK, one after the other.
//
// Standard input: {"endpoint", "secretId", "secretKey", "token"?, "signMethod", "reqMethod", "unsignedPayload"?, "apigwEndpoint"?,
// "language"?, "skipSign"?, "calls": [{"action", "params"}]}. Standard output: a list with what each call answered.
//
// The SDK's generated module for ckafka is not fetched: some module proxies serve the common module only. What it adds to that are
// the types of the requests, and requests.go has those of the actions that are tested. Any other action goes by the SDK's call by
// name, which can be sent as JSON only: its parameters are lost in a query or a form, so that is refused here.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	tcerrors "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/errors"
	tchttp "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/http"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"
)

const tc3 = "TC3-HMAC-SHA256"

type session struct {
	Endpoint, SecretID, SecretKey, Token string
	SignMethod, ReqMethod                string
	UnsignedPayload, SkipSign            bool
	APIGWEndpoint, Language              string
	Calls                                []call
}

type call struct {
	Action string
	Params json.RawMessage
}

type failure struct {
	Code      string `json:"code"`
	Message   string `json:"message"`
	RequestID string `json:"requestId"`
}

type answer struct {
	Response json.RawMessage `json:"response,omitempty"`
	Error    *failure        `json:"error,omitempty"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	var s session
	if err := json.NewDecoder(os.Stdin).Decode(&s); err != nil {
		return err
	}
	client := clientOf(s)
	answers := []answer{}
	for _, c := range s.Calls {
		request, err := requestOf(s, c)
		if err != nil {
			return err
		}
		response := tchttp.NewCommonResponse()
		err = client.Send(request, response)
		var failed *tcerrors.TencentCloudSDKError
		switch {
		case errors.As(err, &failed):
			answers = append(answers, answer{Error: &failure{failed.Code, failed.Message, failed.RequestId}})
		case err != nil:
			return err
		default:
			var body struct{ Response json.RawMessage }
			if err := json.Unmarshal(response.GetBody(), &body); err != nil {
				return err
			}
			answers = append(answers, answer{Response: body.Response})
		}
	}
	return json.NewEncoder(os.Stdout).Encode(answers)
}

func clientOf(s session) *common.Client {
	p := profile.NewClientProfile()
	p.HttpProfile.Scheme = "HTTP"
	p.HttpProfile.Endpoint = s.Endpoint
	p.HttpProfile.ReqMethod = s.ReqMethod
	p.HttpProfile.ApigwEndpoint = s.APIGWEndpoint
	p.SignMethod = s.SignMethod
	p.UnsignedPayload = s.UnsignedPayload
	if s.Language != "" {
		p.Language = s.Language
	}
	credential := common.NewTokenCredential(s.SecretID, s.SecretKey, s.Token)
	return common.NewCommonClient(credential, "ap-guangzhou", p)
}

func requestOf(s session, c call) (tchttp.Request, error) {
	if typed := newRequest(c.Action); typed != nil {
		if err := json.Unmarshal(c.Params, typed); err != nil {
			return nil, err
		}
		typed.SetSkipSign(s.SkipSign)
		return typed, nil
	}
	if s.ReqMethod != "POST" || s.SignMethod != tc3 {
		return nil, fmt.Errorf("%s has no type in requests.go, and the SDK's call by name sends parameters as JSON only", c.Action)
	}
	request := tchttp.NewCommonRequest(service, version, c.Action)
	request.SetSkipSign(s.SkipSign)
	return request, request.SetActionParameters([]byte(c.Params))
}
