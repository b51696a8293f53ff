// The rights of whoever makes a stack: for each type of resource what CloudFormation's handlers and
// Terraform's provider call to make, read, change and remove one, on the names that the stack has.
#include "deploy/deploy.h"

// clang-format off
typedef struct right {
  const char *type, *what; // "AWS::S3::Bucket", "Buckets"
  const char *service;     // in ARNs; NULL: iam
  const char *property;    // that names it; NULL: nothing does
  const char *path;        // before the name; NULL: IAM knows the actions for everything or nothing
  const char *after;       // behind it
  const char *const *actions; // NULL ends
} right;

#define ACTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define BUCKET       "AWS::S3::Bucket"
#define KEY          "AWS::KMS::Key"
#define TOPIC        "AWS::SNS::Topic"
#define GROUP        "AWS::Logs::LogGroup"
#define SOURCE       "AWS::Lambda::EventSourceMapping"
#define API          "AWS::ApiGatewayV2::Api"

static const right rights[] = {
    {BUCKET, "Buckets", "s3", "BucketName", "", "",
     ACTIONS("s3:CreateBucket", "s3:DeleteBucket", "s3:ListBucket", "s3:GetBucket*",
             "s3:GetAccelerateConfiguration", "s3:GetEncryptionConfiguration",
             "s3:GetLifecycleConfiguration", "s3:GetReplicationConfiguration",
             "s3:PutBucketNotification", "s3:PutBucketOwnershipControls", "s3:PutBucketPolicy",
             "s3:DeleteBucketPolicy", "s3:PutBucketPublicAccessBlock", "s3:PutBucketVersioning",
             "s3:PutEncryptionConfiguration")},
    {KEY, "MakeKeys", NULL, NULL, NULL, NULL, ACTIONS("kms:CreateKey", "kms:ListAliases")},
    {KEY, "Keys", "kms", NULL, "key/*", "",
     ACTIONS("kms:DescribeKey", "kms:DisableKeyRotation", "kms:EnableKeyRotation",
             "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListResourceTags",
             "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:UpdateKeyDescription",
             "kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias")},
    {"AWS::KMS::Alias", "Aliases", "kms", "AliasName", "", "",
     ACTIONS("kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias")},
    {TOPIC, "Topics", "sns", "TopicName", "", "",
     ACTIONS("sns:CreateTopic", "sns:DeleteTopic", "sns:GetTopicAttributes",
             "sns:SetTopicAttributes", "sns:ListTagsForResource", "sns:ListSubscriptionsByTopic",
             "sns:GetDataProtectionPolicy", "sns:Subscribe")},
    {"AWS::SNS::Subscription", "Subscriptions", NULL, NULL, NULL, NULL,
     ACTIONS("sns:GetSubscriptionAttributes", "sns:Unsubscribe")},
    {"AWS::SQS::Queue", "Queues", "sqs", "QueueName", "", "",
     ACTIONS("sqs:CreateQueue", "sqs:DeleteQueue", "sqs:GetQueueAttributes", "sqs:GetQueueUrl",
             "sqs:ListQueueTags", "sqs:SetQueueAttributes")},
    {"AWS::DynamoDB::Table", "Tables", "dynamodb", "TableName", "table/", "",
     ACTIONS("dynamodb:CreateTable", "dynamodb:DeleteTable", "dynamodb:DescribeTable",
             "dynamodb:UpdateTable", "dynamodb:DescribeContinuousBackups",
             "dynamodb:UpdateContinuousBackups", "dynamodb:DescribeTimeToLive",
             "dynamodb:UpdateTimeToLive", "dynamodb:DescribeContributorInsights",
             "dynamodb:DescribeKinesisStreamingDestination", "dynamodb:GetResourcePolicy",
             "dynamodb:ListTagsOfResource")},
    {GROUP, "LogGroups", "logs", "LogGroupName", "log-group:", "*",
     ACTIONS("logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:ListTagsForResource",
             "logs:PutRetentionPolicy")},
    {GROUP, "ListLogGroups", "logs", NULL, "log-group:*", "", ACTIONS("logs:DescribeLogGroups")},
    {"AWS::IAM::Role", "Roles", NULL, "RoleName", "role/", "",
     ACTIONS("iam:CreateRole", "iam:DeleteRole", "iam:DeleteRolePolicy", "iam:GetRole",
             "iam:GetRolePolicy", "iam:ListAttachedRolePolicies",
             "iam:ListInstanceProfilesForRole", "iam:ListRolePolicies", "iam:PutRolePolicy",
             "iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription")},
    {"AWS::IAM::ManagedPolicy", "Policies", NULL, "ManagedPolicyName", "policy/", "",
     ACTIONS("iam:CreatePolicy", "iam:CreatePolicyVersion", "iam:DeletePolicy",
             "iam:DeletePolicyVersion", "iam:GetPolicy", "iam:GetPolicyVersion",
             "iam:ListEntitiesForPolicy", "iam:ListPolicyVersions")},
    {"AWS::Lambda::Function", "Functions", "lambda", "FunctionName", "function:", "",
     ACTIONS("lambda:CreateFunction", "lambda:DeleteFunction", "lambda:GetFunction",
             "lambda:GetFunctionCodeSigningConfig", "lambda:GetFunctionConfiguration",
             "lambda:ListVersionsByFunction", "lambda:UpdateFunctionCode",
             "lambda:UpdateFunctionConfiguration")},
    {SOURCE, "MakeEventSources", NULL, NULL, NULL, NULL,
     ACTIONS("lambda:CreateEventSourceMapping")},
    {SOURCE, "EventSources", "lambda", NULL, "event-source-mapping:*", "",
     ACTIONS("lambda:DeleteEventSourceMapping", "lambda:GetEventSourceMapping",
             "lambda:UpdateEventSourceMapping")},
    {"AWS::Lambda::Permission", "Permissions", "lambda", "FunctionName", "function:", "",
     ACTIONS("lambda:AddPermission", "lambda:GetPolicy", "lambda:RemovePermission")},
    {API, "MakeApis", "apigateway", NULL, "/apis", "", ACTIONS("apigateway:POST")},
    {API, "Apis", "apigateway", NULL, "/apis/*", "",
     ACTIONS("apigateway:DELETE", "apigateway:GET", "apigateway:PATCH", "apigateway:POST")},
    {"AWS::Scheduler::Schedule", "Schedules", "scheduler", "Name", "schedule/default/", "",
     ACTIONS("scheduler:CreateSchedule", "scheduler:DeleteSchedule", "scheduler:GetSchedule",
             "scheduler:UpdateSchedule")},
    {0}};
static const right stacks = {
    NULL, "Stack", "cloudformation", NULL, "stack/", "/*",
    ACTIONS("cloudformation:CreateChangeSet", "cloudformation:CreateStack",
            "cloudformation:DeleteChangeSet", "cloudformation:DeleteStack",
            "cloudformation:DescribeChangeSet", "cloudformation:DescribeStackEvents",
            "cloudformation:DescribeStacks", "cloudformation:ExecuteChangeSet",
            "cloudformation:GetTemplate", "cloudformation:UpdateStack")};
static const right templates = {
    NULL, "Templates", NULL, NULL, NULL, NULL, ACTIONS("cloudformation:GetTemplateSummary")};
// clang-format on

typedef struct asking {
  const wh_stack *stack;
  wh_iam_policy *policy;
  wh_iam_asked asked;
} asking;

// "arn:aws:iam::123456789012:role/x" has no region, "arn:aws:s3:::x" no account either, and
// "arn:aws:apigateway:eu-west-1::/apis/x" no account.
static wh_status arn_of(const asking *a, const char *service, wh_str path, wh_str *ret,
                        wh_error *err) {
  wh_iam_place place;
  wh_iam_asked asked = a->asked;
  asked.service = service ? service : "iam";
  WH_TRY(wh_iam_find_place(a->policy, &asked, &place, err));
  if (strcmp(asked.service, "s3") == 0) {
    *ret = wh_arena_printf(a->policy->arena, "arn:%s:s3:::%.*s", place.partition, WH_STR_ARG(path));
    return ret->data ? WH_OK : wh_fail_memory(err);
  }
  if (strcmp(asked.service, "apigateway") == 0) {
    *ret = wh_arena_printf(a->policy->arena, "arn:%s:apigateway:%.*s::%.*s", place.partition,
                           WH_STR_ARG(place.region), WH_STR_ARG(path));
    return ret->data ? WH_OK : wh_fail_memory(err);
  }
  if (!service) place.region = (wh_str){"", 0};
  return wh_iam_arn(a->policy, &place, (wh_str){0}, path, ret, err);
}

static wh_status allow(const asking *a, const right *r, wh_str name, wh_error *err) {
  wh_iam_permit permit = {.what = r->what, .actions = r->actions, .resource = WH_STR("*")};
  if (r->path) {
    wh_str path =
        wh_arena_printf(a->policy->arena, "%s%.*s%s", r->path, WH_STR_ARG(name), r->after);
    if (!path.data) return wh_fail_memory(err);
    WH_TRY(arn_of(a, r->service, path, &permit.resource, err));
  }
  return wh_iam_allow(a->policy, &permit, err);
}

// To hand a role to a service is a right of its own.
static wh_status allow_pass(const asking *a, const wh_stack_resource *role, wh_error *err) {
  static const char *const pass[] = {"iam:PassRole", NULL};
  static const char *const services[][2] = {{"function", "lambda.amazonaws.com"},
                                            {"schedule", "scheduler.amazonaws.com"}};
  wh_str name = wh_json_text(role->properties, "RoleName");
  wh_arena *arena = a->policy->arena;
  for (size_t i = 0; i < sizeof services / sizeof *services; i++) {
    wh_str own = wh_arena_printf(arena, "%.*s-%s", WH_STR_ARG(a->stack->name), services[i][0]);
    wh_str path = wh_arena_printf(arena, "role/%.*s", WH_STR_ARG(name));
    wh_iam_permit permit = {
        .what = "PassRole",
        .actions = pass,
        .tests = {{"StringEquals", "iam:PassedToService", wh_str_of(services[i][1])}}};
    if (!own.data || !path.data) return wh_fail_memory(err);
    if (!wh_str_eq(own, name)) continue;
    WH_TRY(arn_of(a, NULL, path, &permit.resource, err));
    WH_TRY(wh_iam_allow(a->policy, &permit, err));
  }
  return WH_OK;
}

static wh_status allow_resource(const asking *a, const wh_stack_resource *r, wh_error *err) {
  for (const right *each = rights; each->type; each++) {
    if (strcmp(each->type, r->type) != 0) continue;
    wh_str name = each->property ? wh_json_text(r->properties, each->property) : (wh_str){0};
    WH_TRY(allow(a, each, name, err));
  }
  return strcmp(r->type, "AWS::IAM::Role") == 0 ? allow_pass(a, r, err) : WH_OK;
}

static wh_status allow_stack(const asking *a, wh_error *err) {
  WH_TRY(allow(a, &stacks, a->stack->name, err));
  return allow(a, &templates, (wh_str){0}, err);
}

wh_status wh_deploy_rights(wh_config *config, const wh_stack *stack, bool by_cloudformation,
                           wh_iam_policy *policy, wh_error *err) {
  wh_cloud_secrets where = wh_config_cloud_secrets(config);
  asking a = {.stack = stack, .policy = policy};
  a.asked =
      (wh_iam_asked){.os = where.os, .environment = where.environment, .region = stack->region};
  for (const wh_stack_resource *r = stack->resources; r; r = r->next)
    WH_TRY(allow_resource(&a, r, err));
  if (by_cloudformation) WH_TRY(allow_stack(&a, err));
  return wh_iam_finish(policy, err);
}
