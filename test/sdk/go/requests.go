package main

import tchttp "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/http"

const (
	service = "ckafka"
	version = "2019-08-19"
)

// The requests as the generated module declares them: pointers, and the tags by which the SDK writes JSON (`json`) and queries and
// forms (`name`). Only the fields that the tests send.

type batchContent struct {
	Body *string `json:"Body,omitnil,omitempty" name:"Body"`
	Key  *string `json:"Key,omitnil,omitempty" name:"Key"`
}

type sendMessageRequest struct {
	*tchttp.BaseRequest
	DataHubId *string         `json:"DataHubId,omitnil,omitempty" name:"DataHubId"`
	Message   []*batchContent `json:"Message,omitnil,omitempty" name:"Message"`
}

type kafkaParam struct {
	SelfBuilt          *bool   `json:"SelfBuilt,omitnil,omitempty" name:"SelfBuilt"`
	Resource           *string `json:"Resource,omitnil,omitempty" name:"Resource"`
	Topic              *string `json:"Topic,omitnil,omitempty" name:"Topic"`
	PartitionNum       *int64  `json:"PartitionNum,omitnil,omitempty" name:"PartitionNum"`
	QpsLimit           *int64  `json:"QpsLimit,omitnil,omitempty" name:"QpsLimit"`
	UseAutoCreateTopic *bool   `json:"UseAutoCreateTopic,omitnil,omitempty" name:"UseAutoCreateTopic"`
}

type datahubResource struct {
	Type       *string     `json:"Type,omitnil,omitempty" name:"Type"`
	KafkaParam *kafkaParam `json:"KafkaParam,omitnil,omitempty" name:"KafkaParam"`
}

type createDatahubTaskRequest struct {
	*tchttp.BaseRequest
	TaskName       *string          `json:"TaskName,omitnil,omitempty" name:"TaskName"`
	TaskType       *string          `json:"TaskType,omitnil,omitempty" name:"TaskType"`
	SourceResource *datahubResource `json:"SourceResource,omitnil,omitempty" name:"SourceResource"`
	TargetResource *datahubResource `json:"TargetResource,omitnil,omitempty" name:"TargetResource"`
	Description    *string          `json:"Description,omitnil,omitempty" name:"Description"`
}

// Describe, Pause, Resume, Restart and Delete.
type taskRequest struct {
	*tchttp.BaseRequest
	TaskId *string `json:"TaskId,omitnil,omitempty" name:"TaskId"`
}

type modifyDatahubTaskRequest struct {
	*tchttp.BaseRequest
	TaskId      *string `json:"TaskId,omitnil,omitempty" name:"TaskId"`
	TaskName    *string `json:"TaskName,omitnil,omitempty" name:"TaskName"`
	Description *string `json:"Description,omitnil,omitempty" name:"Description"`
}

type describeDatahubTasksRequest struct {
	*tchttp.BaseRequest
	Limit      *int64  `json:"Limit,omitnil,omitempty" name:"Limit"`
	Offset     *int64  `json:"Offset,omitnil,omitempty" name:"Offset"`
	SearchWord *string `json:"SearchWord,omitnil,omitempty" name:"SearchWord"`
	SourceType *string `json:"SourceType,omitnil,omitempty" name:"SourceType"`
	TargetType *string `json:"TargetType,omitnil,omitempty" name:"TargetType"`
	TaskType   *string `json:"TaskType,omitnil,omitempty" name:"TaskType"`
}

// nil for an action without a type here.
func newRequest(action string) tchttp.Request {
	base := &tchttp.BaseRequest{}
	base.Init().WithApiInfo(service, version, action)
	switch action {
	case "SendMessage":
		return &sendMessageRequest{BaseRequest: base}
	case "CreateDatahubTask":
		return &createDatahubTaskRequest{BaseRequest: base}
	case "DescribeDatahubTask", "PauseDatahubTask", "ResumeDatahubTask", "RestartDatahubTask", "DeleteDatahubTask":
		return &taskRequest{BaseRequest: base}
	case "DescribeDatahubTasks":
		return &describeDatahubTasksRequest{BaseRequest: base}
	case "ModifyDatahubTask":
		return &modifyDatahubTaskRequest{BaseRequest: base}
	default:
		return nil
	}
}
