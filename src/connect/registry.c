#include "connect/connect.h"
#ifdef WHERRY_DYNAMODB
#include "connect/dynamodb/dynamodb.h"
#include "connect/dynamodb/stream.h"
#endif
#include "connect/local/local.h"
#ifdef WHERRY_MYSQL
#include "connect/mysql/mysql.h"
#endif
#ifdef WHERRY_ODBC
#include "connect/odbc/odbc.h"
#endif
#ifdef WHERRY_POSTGRES
#include "connect/postgres/postgres.h"
#endif
#ifdef WHERRY_S3
#include "connect/s3/s3.h"
#endif
#ifdef WHERRY_SFTP
#include "connect/sftp/sftp.h"
#endif
#ifdef WHERRY_SNS
#include "connect/sns/sns.h"
#endif
#ifdef WHERRY_SPLUNK
#include "connect/splunk/splunk.h"
#endif
#include "connect/sqlite/sqlite.h"
#ifdef WHERRY_SQLSERVER
#include "connect/sqlserver/sqlserver.h"
#endif
#ifdef WHERRY_SQS
#include "connect/sqs/sqs.h"
#endif

const wh_connector *const wh_connectors[] = {
#ifdef WHERRY_DYNAMODB
    &wh_connector_dynamodb,
    &wh_connector_dynamodb_stream,
#endif
    &wh_connector_local,
#ifdef WHERRY_MYSQL
    &wh_connector_mysql,
#endif
#ifdef WHERRY_ODBC
    &wh_connector_odbc,
#endif
#ifdef WHERRY_POSTGRES
    &wh_connector_postgres,
#endif
#ifdef WHERRY_S3
    &wh_connector_s3,
#endif
#ifdef WHERRY_SFTP
    &wh_connector_sftp,
#endif
#ifdef WHERRY_SNS
    &wh_connector_sns,
#endif
#ifdef WHERRY_SPLUNK
    &wh_connector_splunk,
#endif
    &wh_connector_sqlite,
#ifdef WHERRY_SQLSERVER
    &wh_connector_sqlserver,
#endif
#ifdef WHERRY_SQS
    &wh_connector_sqs,
#endif
    NULL,
};

const wh_connector *wh_connector_by_name(wh_str name) {
  for (size_t i = 0; wh_connectors[i]; i++) {
    if (wh_str_is(name, wh_connectors[i]->name)) return wh_connectors[i];
  }
  return NULL;
}
