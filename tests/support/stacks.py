"""What `wherry deploy` writes, read as AWS and Terraform read it.

    template(text).resources          # {id: Resource}, every variable in its place
    terraform(text).resources         # the same, said in CloudFormation's words again
    create(server, text)              # the stack in moto, and what moto's CloudFormation leaves out

The way back from Terraform's words is written here by hand, apart from the table in src/deploy/terraform.c: two who
read the provider's documentation have to agree. The texts of variables are those of an account and a region below.
"""
import json
import re

ACCOUNT, REGION, PARTITION = "123456789012", "eu-west-1", "aws"
PARAMETERS = {"CodeBucket": "code", "CodeKey": "wherry-lambda.zip"}


def arn(type_, properties):
    """As AWS makes it of what the properties say."""
    where = f"{REGION}:{ACCOUNT}"
    forms = {"AWS::S3::Bucket": ("BucketName", "arn:aws:s3:::{}"), "AWS::SQS::Queue": ("QueueName", f"arn:aws:sqs:{where}:{{}}"),
             "AWS::SNS::Topic": ("TopicName", f"arn:aws:sns:{where}:{{}}"),
             "AWS::DynamoDB::Table": ("TableName", f"arn:aws:dynamodb:{where}:table/{{}}"),
             "AWS::Lambda::Function": ("FunctionName", f"arn:aws:lambda:{where}:function:{{}}"),
             "AWS::IAM::Role": ("RoleName", f"arn:aws:iam::{ACCOUNT}:role/{{}}"),
             "AWS::KMS::Key": ("Description", f"arn:aws:kms:{where}:key/{{}}")}  # whose id KMS makes
    name, form = forms[type_]
    return form.format(properties[name])


def ref(type_, properties):
    if type_ == "AWS::ApiGatewayV2::Api":  # an id, which AWS makes
        return f"api-{properties['Name']}"
    if type_ == "AWS::ApiGatewayV2::Integration":
        return "integration-of-" + properties["IntegrationUri"]
    if type_ == "AWS::SQS::Queue":
        return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{properties['QueueName']}"
    return properties["BucketName"] if type_ == "AWS::S3::Bucket" else arn(type_, properties)


class Resource:
    def __init__(self, type_, properties, depends=(), keeps=False):
        self.type, self.properties, self.depends, self.keeps = type_, properties, sorted(depends), keeps

    def __repr__(self):
        return json.dumps([self.type, self.properties, self.depends, self.keeps], sort_keys=True)


class Stack:
    def __init__(self, resources, parameters, before):
        self.resources, self.parameters, self.before = resources, parameters, before

    def of_type(self, type_):
        return {id_: r.properties for id_, r in self.resources.items() if r.type == type_}

    def documents(self):
        """{name: policy} of all roles and managed policies."""
        found = {}
        for properties in self.of_type("AWS::IAM::Role").values():
            for policy in properties["Policies"]:
                found[properties["RoleName"]] = policy["PolicyDocument"]
        for properties in self.of_type("AWS::IAM::ManagedPolicy").values():
            found[properties["ManagedPolicyName"]] = properties["PolicyDocument"]
        return found


# --- CloudFormation ------------------------------------------------------------------------------

class Template:
    def __init__(self, text, parameters):
        self.tree = json.loads(text)
        self.pseudo = {"AWS::AccountId": ACCOUNT, "AWS::Region": REGION, "AWS::Partition": PARTITION, **parameters}

    def named(self, name):
        """What Ref and ${NAME} say."""
        if name in self.pseudo:
            return self.pseudo[name]
        id_, _, attribute = name.partition(".")
        resource = self.tree["Resources"][id_]
        assert attribute in ("", "Arn"), name
        return (arn if attribute else ref)(resource["Type"], self.resolve(resource["Properties"]))

    def substitute(self, text):
        return re.sub(r"\$\{(!?)([^}]*)\}", lambda m: "${" + m[2] + "}" if m[1] else self.named(m[2]), text)

    def resolve(self, tree):
        if isinstance(tree, list):
            return [self.resolve(one) for one in tree]
        if not isinstance(tree, dict):
            return tree
        if set(tree) == {"Ref"}:
            return self.named(tree["Ref"])
        if set(tree) == {"Fn::GetAtt"}:
            return self.named(".".join(tree["Fn::GetAtt"]))
        if set(tree) == {"Fn::Sub"}:
            return self.substitute(tree["Fn::Sub"])
        return {name: self.resolve(value) for name, value in tree.items()}


def template(text, **parameters):
    t = Template(text, {**PARAMETERS, **parameters})
    made = {id_: Resource(r["Type"], t.resolve(r["Properties"]), r.get("DependsOn", []), "DeletionPolicy" in r)
            for id_, r in t.tree["Resources"].items()}
    return Stack(made, {name: p.get("NoEcho", False) for name, p in t.tree.get("Parameters", {}).items()},
                 t.tree.get("Metadata", {}).get("Prerequisites", []))


# --- Terraform -----------------------------------------------------------------------------------

class Configuration:
    def __init__(self, text, parameters):
        self.tree = json.loads(text)
        assert set(self.tree) <= {"//", "terraform", "data", "variable", "resource"}, sorted(self.tree)
        self.parameters = parameters

    def named(self, path):
        first, *rest = path.split(".")
        if first == "var":
            assert rest[0] in self.tree["variable"], path
            return self.parameters[rest[0]]
        if first == "data":
            assert rest[1] in self.tree["data"][rest[0]], path
            return {"aws_caller_identity.current.account_id": ACCOUNT, "aws_region.current.id": REGION,
                    "aws_partition.current.partition": PARTITION}[".".join(rest)]
        type_, form = {"aws_s3_bucket": ("AWS::S3::Bucket", {"BucketName": "bucket"}),
                       "aws_sqs_queue": ("AWS::SQS::Queue", {"QueueName": "name"}),
                       "aws_sns_topic": ("AWS::SNS::Topic", {"TopicName": "name"}),
                       "aws_lambda_function": ("AWS::Lambda::Function", {"FunctionName": "function_name"}),
                       "aws_iam_role": ("AWS::IAM::Role", {"RoleName": "name"}),
                       "aws_apigatewayv2_api": ("AWS::ApiGatewayV2::Api", {"Name": "name"}),
                       "aws_apigatewayv2_integration": ("AWS::ApiGatewayV2::Integration", {"IntegrationUri": "integration_uri"}),
                       "aws_kms_key": ("AWS::KMS::Key", {"Description": "description"})}[first]
        resource = self.resolve(self.tree["resource"][first][rest[0]]) if first == "aws_apigatewayv2_integration" else \
            self.tree["resource"][first][rest[0]]
        properties = {cfn: resource[word] for cfn, word in form.items()}
        if first == "aws_iam_role" and rest[1] == "id":
            return resource["name"]
        return {"arn": arn, "id": ref}[rest[1]](type_, properties)

    def resolve(self, tree):
        if isinstance(tree, list):
            return [self.resolve(one) for one in tree]
        if isinstance(tree, dict):
            return {name: self.resolve(value) for name, value in tree.items()}
        if not isinstance(tree, str):
            return tree
        form = r"([$%])\1\{|\$\{([^}]*)\}|([$%]\{)"

        def replace(m):
            assert not m[3], tree
            return m[1] + "{" if m[1] else self.named(m[2])
        return re.sub(form, replace, tree)


def one(blocks):
    assert isinstance(blocks, dict) or len(blocks) == 1, blocks
    return blocks if isinstance(blocks, dict) else blocks[0]


def rename(tree, **names):
    return {cfn: tree[word] for cfn, word in names.items() if word in tree}


def filter_of(block):
    rules = [{"Name": name, "Value": block[f"filter_{name}"]} for name in ("prefix", "suffix") if f"filter_{name}" in block]
    return {"Filter": {"S3Key": {"Rules": rules}}} if rules else {}


def bucket(id_, get):
    own = get("aws_s3_bucket", id_)
    default = one(one(get("aws_s3_bucket_server_side_encryption_configuration", id_)["rule"]))
    apply = one(default["apply_server_side_encryption_by_default"])
    made = {
        "BucketName": own["bucket"],
        "VersioningConfiguration": {"Status": one(get("aws_s3_bucket_versioning", id_)["versioning_configuration"])["status"]},
        "PublicAccessBlockConfiguration": rename(
            get("aws_s3_bucket_public_access_block", id_), BlockPublicAcls="block_public_acls", BlockPublicPolicy="block_public_policy",
            IgnorePublicAcls="ignore_public_acls", RestrictPublicBuckets="restrict_public_buckets"),
        "OwnershipControls": {"Rules": [{"ObjectOwnership": one(get("aws_s3_bucket_ownership_controls", id_)["rule"])["object_ownership"]}]},
        "BucketEncryption": {"ServerSideEncryptionConfiguration": [
            {"ServerSideEncryptionByDefault": rename(apply, SSEAlgorithm="sse_algorithm", KMSMasterKeyID="kms_master_key_id"),
             "BucketKeyEnabled": default["bucket_key_enabled"]}]}}
    told = get("aws_s3_bucket_notification", id_, missing={}).get("queue", [])
    if told:
        made["NotificationConfiguration"] = {"QueueConfigurations": [
            {"Event": one(block["events"]), "Queue": block["queue_arn"], **filter_of(block)} for block in told]}
    return made


def role(id_, get):
    own, policy = get("aws_iam_role", id_), get("aws_iam_role_policy", id_)
    assert policy["role"] == own["name"]
    return {"RoleName": own["name"], "Description": own["description"],
            "AssumeRolePolicyDocument": json.loads(own["assume_role_policy"]),
            "Policies": [{"PolicyName": policy["name"], "PolicyDocument": json.loads(policy["policy"])}]}


def table(id_, get):
    own = get("aws_dynamodb_table", id_)
    made = {"TableName": own["name"], "BillingMode": own["billing_mode"],
            "AttributeDefinitions": [rename(a, AttributeName="name", AttributeType="type") for a in own["attribute"]],
            "KeySchema": [{"AttributeName": own[word], "KeyType": kind} for word, kind in (("hash_key", "HASH"), ("range_key", "RANGE"))
                          if word in own],
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": one(own["point_in_time_recovery"])["enabled"]},
            "SSESpecification": {"SSEEnabled": one(own["server_side_encryption"])["enabled"]}}
    if own.get("stream_enabled"):
        made["StreamSpecification"] = {"StreamViewType": own["stream_view_type"]}
    if "ttl" in own:
        made["TimeToLiveSpecification"] = rename(one(own["ttl"]), AttributeName="attribute_name", Enabled="enabled")
    if "read_capacity" in own:
        made["ProvisionedThroughput"] = rename(own, ReadCapacityUnits="read_capacity", WriteCapacityUnits="write_capacity")
    return made


def queue(id_, get):
    own = get("aws_sqs_queue", id_)
    made = rename(own, QueueName="name", FifoQueue="fifo_queue", SqsManagedSseEnabled="sqs_managed_sse_enabled",
                  VisibilityTimeout="visibility_timeout_seconds", MessageRetentionPeriod="message_retention_seconds")
    if "redrive_policy" in own:
        made["RedrivePolicy"] = json.loads(own["redrive_policy"])
    return made


def function(id_, get):
    own = get("aws_lambda_function", id_)
    made = rename(own, FunctionName="function_name", Runtime="runtime", Architectures="architectures", Handler="handler",
                  MemorySize="memory_size", Timeout="timeout", Role="role")
    made["Code"] = rename(own, S3Bucket="s3_bucket", S3Key="s3_key")
    if "environment" in own:
        made["Environment"] = {"Variables": one(own["environment"])["variables"]}
    return made


def schedule(id_, get):
    own = get("aws_scheduler_schedule", id_)
    return {**rename(own, Name="name", ScheduleExpression="schedule_expression",
                     ScheduleExpressionTimezone="schedule_expression_timezone"),
            "FlexibleTimeWindow": rename(one(own["flexible_time_window"]), Mode="mode", MaximumWindowInMinutes="maximum_window_in_minutes"),
            "Target": rename(one(own["target"]), Arn="arn", RoleArn="role_arn", Input="input")}


def stage(id_, get):
    own = get("aws_apigatewayv2_stage", id_)
    made = rename(own, ApiId="api_id", StageName="name", AutoDeploy="auto_deploy")
    if "route_settings" in own:
        made["RouteSettings"] = {block["route_key"]: rename(block, ThrottlingBurstLimit="throttling_burst_limit",
                                                            ThrottlingRateLimit="throttling_rate_limit")
                                 for block in own["route_settings"]}
    return made


def renamed(type_, document=None, **names):
    def back(id_, get):
        own = get(type_, id_)
        made = rename(own, **names)
        if document:
            made[document] = json.loads(own["policy"])
        return made
    return back


def queue_policy(id_, get):
    own = get("aws_sqs_queue_policy", id_)
    return {"Queues": [own["queue_url"]], "PolicyDocument": json.loads(own["policy"])}


BACK = {
    "aws_s3_bucket": ("AWS::S3::Bucket", bucket),
    "aws_s3_bucket_policy": ("AWS::S3::BucketPolicy", renamed("aws_s3_bucket_policy", "PolicyDocument", Bucket="bucket")),
    "aws_kms_key": ("AWS::KMS::Key", renamed("aws_kms_key", "KeyPolicy", Description="description", EnableKeyRotation="enable_key_rotation")),
    "aws_kms_alias": ("AWS::KMS::Alias", renamed("aws_kms_alias", AliasName="name", TargetKeyId="target_key_id")),
    "aws_sns_topic": ("AWS::SNS::Topic", renamed("aws_sns_topic", TopicName="name", KmsMasterKeyId="kms_master_key_id", FifoTopic="fifo_topic")),
    "aws_sns_topic_subscription": ("AWS::SNS::Subscription", renamed(
        "aws_sns_topic_subscription", Protocol="protocol", TopicArn="topic_arn", Endpoint="endpoint")),
    "aws_sqs_queue": ("AWS::SQS::Queue", queue),
    "aws_sqs_queue_policy": ("AWS::SQS::QueuePolicy", queue_policy),
    "aws_dynamodb_table": ("AWS::DynamoDB::Table", table),
    "aws_cloudwatch_log_group": ("AWS::Logs::LogGroup", renamed(
        "aws_cloudwatch_log_group", LogGroupName="name", RetentionInDays="retention_in_days")),
    "aws_iam_role": ("AWS::IAM::Role", role),
    "aws_iam_policy": ("AWS::IAM::ManagedPolicy", renamed("aws_iam_policy", "PolicyDocument", ManagedPolicyName="name", Description="description")),
    "aws_lambda_function": ("AWS::Lambda::Function", function),
    "aws_lambda_event_source_mapping": ("AWS::Lambda::EventSourceMapping", renamed(
        "aws_lambda_event_source_mapping", FunctionName="function_name", EventSourceArn="event_source_arn",
        FunctionResponseTypes="function_response_types")),
    "aws_lambda_permission": ("AWS::Lambda::Permission", renamed(
        "aws_lambda_permission", FunctionName="function_name", Action="action", Principal="principal", SourceArn="source_arn")),
    "aws_scheduler_schedule": ("AWS::Scheduler::Schedule", schedule),
    "aws_apigatewayv2_api": ("AWS::ApiGatewayV2::Api", renamed("aws_apigatewayv2_api", Name="name", ProtocolType="protocol_type")),
    "aws_apigatewayv2_integration": ("AWS::ApiGatewayV2::Integration", renamed(
        "aws_apigatewayv2_integration", ApiId="api_id", IntegrationType="integration_type", IntegrationUri="integration_uri",
        PayloadFormatVersion="payload_format_version", TimeoutInMillis="timeout_milliseconds")),
    "aws_apigatewayv2_route": ("AWS::ApiGatewayV2::Route", renamed(
        "aws_apigatewayv2_route", ApiId="api_id", RouteKey="route_key", Target="target")),
    "aws_apigatewayv2_stage": ("AWS::ApiGatewayV2::Stage", stage),
}
PARTS = {"aws_s3_bucket_versioning", "aws_s3_bucket_public_access_block", "aws_s3_bucket_ownership_controls",
         "aws_s3_bucket_server_side_encryption_configuration", "aws_s3_bucket_notification", "aws_iam_role_policy"}
NONE = object()


def terraform(text, **parameters):
    c = Configuration(text, {**PARAMETERS, **parameters})
    resources = c.resolve(c.tree["resource"])
    wordings = set(resources) - set(BACK) - PARTS
    assert not wordings, wordings
    taken = set()

    def get(type_, id_, missing=NONE):
        """One of Terraform's resources: each of its words has to be asked for."""
        if missing is not NONE and id_ not in resources.get(type_, {}):
            return missing
        taken.add((type_, id_))
        own = dict(resources[type_][id_])
        if type_ in PARTS and "bucket" in own:
            assert own["bucket"] == resources["aws_s3_bucket"][id_]["bucket"]
        return own
    made = {}
    for type_, ids in resources.items():
        for id_ in ids if type_ in BACK else ():
            cfn, back = BACK[type_]
            keeps = get(type_, id_).get("lifecycle") == {"prevent_destroy": True}
            waits = get("aws_s3_bucket_notification", id_, missing={}) if type_ == "aws_s3_bucket" else get(type_, id_)
            depends = {name.split(".")[1] for name in waits.get("depends_on", [])}
            made[id_] = Resource(cfn, back(id_, get), depends, keeps)
    left = {(type_, id_) for type_, ids in resources.items() for id_ in ids} - taken
    assert not left, left
    return Stack(made, {name: v.get("sensitive", False) for name, v in c.tree.get("variable", {}).items()}, c.tree["//"][1:])


# --- in moto -------------------------------------------------------------------------------------

def create(server, name, text, **parameters):
    """The stack, made by moto's CloudFormation; and what that passes over, made of the same template by hand:
    versions, Block Public Access, policies and notifications of buckets, policies of queues and keys (which it keeps as
    it cannot read them), subscriptions, schedules, APIs."""
    cloudformation = server.client("cloudformation")
    given = {**PARAMETERS, **parameters}
    asked = json.loads(text).get("Parameters", {})
    cloudformation.create_stack(StackName=name, TemplateBody=text, Capabilities=["CAPABILITY_NAMED_IAM"],
                                Parameters=[{"ParameterKey": k, "ParameterValue": given[k]} for k in asked])
    status = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
    assert status == "CREATE_COMPLETE", status
    stack = template(text, **parameters)
    kms = server.client("kms")
    ids = {alias["AliasName"]: alias.get("TargetKeyId") for alias in kms.list_aliases()["Aliases"]}
    for alias in stack.of_type("AWS::KMS::Alias").values():
        key = next(p for p in stack.of_type("AWS::KMS::Key").values() if ref("AWS::KMS::Key", p) == alias["TargetKeyId"])
        kms.put_key_policy(KeyId=ids[alias["AliasName"]], PolicyName="default", Policy=json.dumps(key["KeyPolicy"]))
    for p in stack.of_type("AWS::SQS::QueuePolicy").values():
        for url in p["Queues"]:
            sqs = server.client("sqs")
            here = sqs.get_queue_url(QueueName=url.rsplit("/", 1)[1])["QueueUrl"]
            sqs.set_queue_attributes(QueueUrl=here, Attributes={"Policy": json.dumps(p["PolicyDocument"])})
    for p in stack.of_type("AWS::SNS::Subscription").values():
        server.client("sns").subscribe(TopicArn=p["TopicArn"], Protocol=p["Protocol"], Endpoint=p["Endpoint"])
    for p in stack.of_type("AWS::S3::Bucket").values():
        finish_bucket(server.client("s3"), p)
    for p in stack.of_type("AWS::S3::BucketPolicy").values():
        s3 = server.client("s3")
        s3.put_bucket_policy(Bucket=p["Bucket"], Policy=json.dumps(p["PolicyDocument"]))
        s3.delete_bucket_policy(Bucket=p["Bucket"])  # which moto takes without its condition: all would be denied
    for p in stack.of_type("AWS::Scheduler::Schedule").values():
        server.client("scheduler").create_schedule(**p)
    for p in stack.of_type("AWS::ApiGatewayV2::Api").values():
        make_api(server.client("apigatewayv2"), p, stack)
    return stack


def make_api(client, api, stack):
    """What it refers to by the ids of this module gets those that the server gives."""
    id_ = client.create_api(**api)["ApiId"]
    made = {}
    for p in stack.of_type("AWS::ApiGatewayV2::Integration").values():
        given = {**p, "ApiId": id_}
        made[f"integrations/{ref('AWS::ApiGatewayV2::Integration', p)}"] = client.create_integration(**given)["IntegrationId"]
    for p in stack.of_type("AWS::ApiGatewayV2::Route").values():
        client.create_route(**{**p, "ApiId": id_, "Target": f"integrations/{made[p['Target']]}"})
    for p in stack.of_type("AWS::ApiGatewayV2::Stage").values():
        client.create_stage(**{**p, "ApiId": id_})


def finish_bucket(s3, p):
    name = p["BucketName"]
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration=p["VersioningConfiguration"])
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=p["PublicAccessBlockConfiguration"])
    told = p.get("NotificationConfiguration", {}).get("QueueConfigurations", [])
    if told:
        s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration={"QueueConfigurations": [
            {"QueueArn": t["Queue"], "Events": [t["Event"]], **({"Filter": {"Key": {"FilterRules": t["Filter"]["S3Key"]["Rules"]}}}
                                                               if "Filter" in t else {})} for t in told]})
