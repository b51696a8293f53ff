"""Requests as API Gateway hands them to a function, with everything that AWS's documentation shows of them.

    rest("/ingest/x", body, headers)    # payload format 1.0, of a REST API
    http("/ingest/x", body, headers)    # payload format 2.0, of an HTTP API and of a function's URL

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""
import base64

SOURCE = "203.0.113.7"


def text_of(body, encoded):
    raw = body if isinstance(body, bytes) else body.encode()
    return base64.b64encode(raw).decode() if encoded else raw.decode()


def rest(path, body="", headers=(), method="POST", source=SOURCE, encoded=False, stage="prod"):
    """`headers`: pairs; each name as it was sent."""
    pairs = list(headers.items()) if isinstance(headers, dict) else list(headers)
    many = {}
    for name, value in pairs:
        many.setdefault(name, []).append(value)
    return {
        "resource": "/{proxy+}", "path": path, "httpMethod": method,
        "headers": {name: values[-1] for name, values in many.items()}, "multiValueHeaders": many,
        "queryStringParameters": None, "multiValueQueryStringParameters": None, "pathParameters": {"proxy": path[1:]},
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012", "apiId": "id", "authorizer": {"claims": None, "scopes": None}, "domainName": "id.execute-api.eu-west-1.amazonaws.com",
            "domainPrefix": "id", "extendedRequestId": "request-id", "httpMethod": method,
            "identity": {"accessKey": None, "accountId": None, "caller": None, "cognitoAuthenticationProvider": None,
                         "cognitoAuthenticationType": None, "cognitoIdentityId": None, "cognitoIdentityPoolId": None,
                         "principalOrgId": None, "sourceIp": source, "user": None, "userAgent": "curl/8.5.0", "userArn": None, "clientCert": None},
            "path": f"/{stage}{path}", "protocol": "HTTP/1.1", "requestId": "id=", "requestTime": "04/Mar/2026:19:15:17 +0000",
            "requestTimeEpoch": 1583349317135, "resourceId": None, "resourcePath": "/{proxy+}", "stage": stage},
        "body": text_of(body, encoded) if body else None, "isBase64Encoded": encoded}


def http(path, body="", headers=(), method="POST", source=SOURCE, encoded=False, stage="$default"):
    pairs = list(headers.items()) if isinstance(headers, dict) else list(headers)
    joined = {}
    for name, value in pairs:
        joined[name.lower()] = f"{joined[name.lower()]},{value}" if name.lower() in joined else value
    raw = path if stage == "$default" else f"/{stage}{path}"
    return {
        "version": "2.0", "routeKey": f"{method} {path}", "rawPath": raw, "rawQueryString": "", "cookies": ["cookie1", "cookie2"],
        "headers": joined,
        "requestContext": {
            "accountId": "123456789012", "apiId": "api-id", "domainName": "id.execute-api.eu-west-1.amazonaws.com", "domainPrefix": "id",
            "http": {"method": method, "path": raw, "protocol": "HTTP/1.1", "sourceIp": source, "userAgent": "curl/8.5.0"},
            "requestId": "id", "routeKey": f"{method} {path}", "stage": stage, "time": "12/Mar/2026:19:03:58 +0000", "timeEpoch": 1583348638390},
        **({"body": text_of(body, encoded)} if body else {}), "isBase64Encoded": encoded}


SHAPES = (rest, http)
