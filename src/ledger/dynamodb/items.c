// The ledger's items: requests and their answers.
#include "base/crypto.h"
#include "connect/dynamodb/table.h"
#include "ledger/dynamodb/dynamodb.h"

// --- asking
// ----------------------------------------------------------------------------------------

static bool can_wait(const dynamo_ledger *l, int64_t since_ns) {
  wh_os *os = l->sql.base.os;
  bool stops = l->connection.cancel && atomic_load(l->connection.cancel);
  return !l->is_closing && !stops &&
         os->type->monotonic_ns(os) - since_ns < DYNAMO_PATIENCE_US * 1000ll;
}

// The client repeats what may succeed a few times; this goes on for as long as a verb may wait.
static wh_status ask_counted(dynamo_ledger *l, wh_str action, const wh_buf *body, bool *ret_missing,
                             json_t **ret, int *attempts, wh_error *err) {
  WH_CLEAN_CLIENT wh_aws_client *client = NULL;
  wh_os *os = l->sql.base.os;
  int64_t since_ns = os->type->monotonic_ns(os);
  wh_status status;
  WH_TRY(wh_dynamodb_take(&l->connection, &client, err));
  for (;;) {
    status = wh_dynamodb_call_counted(&l->connection, client, action, body, ret_missing, ret,
                                      attempts, err);
    bool later = status == WH_ERR_UNAVAILABLE || status == WH_ERR_BUSY;
    if (!later || !can_wait(l, since_ns)) break;
    os->type->sleep_ns(os, DYNAMO_RETRY_US * 1000ll);
  }
  l->sql.ahead_us = wh_aws_skew_us(l->connection.own);
  return status;
}

static wh_status ask(dynamo_ledger *l, wh_str action, const wh_buf *body, bool *ret_missing,
                     json_t **ret, wh_error *err) {
  int attempts = 0;
  return ask_counted(l, action, body, ret_missing, ret, &attempts, err);
}

static void begin_body(const dynamo_ledger *l, wh_buf *body) {
  wh_buf_init(body, l->sql.base.mem, 0);
  wh_buf_add_c(body, "{\"TableName\":");
  wh_buf_add_json(body, l->table);
}

static void add_key(const dynamo_ledger *l, wh_buf *body, const char *part) {
  wh_buf_add_c(body, "\"ledger\":{\"S\":");
  wh_buf_add_json(body, l->name);
  wh_buf_printf(body, "},\"part\":{\"N\":\"%s\"}", part);
}

static void add_binary(wh_buf *body, const char *name, wh_str bytes) {
  wh_buf_printf(body, ",\"%s\":{\"B\":\"", name);
  wh_base64_encode(WH_BASE64_STANDARD, bytes, body);
  wh_buf_add_c(body, "\"}");
}

static bool read_binary(const json_t *item, const char *name, wh_buf *out) {
  wh_str text = wh_dynamodb_item_text(item, name, "B");
  return text.len && wh_base64_decode(WH_BASE64_STANDARD, text, out);
}

static wh_status fail_strange(const dynamo_ledger *l, wh_error *err) {
  return wh_fail(err, WH_ERR_REFUSED,
                 "%s: table %.*s has an item that is not a ledger's. Give another `table`",
                 l->sql.base.path, WH_STR_ARG(l->table));
}

// --- the head
// --------------------------------------------------------------------------------------

static void put_u64(uint8_t *out, uint64_t value) {
  for (int i = 0; i < 8; i++)
    out[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get_u64(const char *bytes) {
  uint64_t value = 0;
  for (int i = 0; i < 8; i++)
    value |= (uint64_t)(uint8_t)bytes[i] << (8 * i);
  return value;
}

static wh_status read_ids(const dynamo_ledger *l, const json_t *item, dynamo_head *ret,
                          wh_error *err) {
  WH_CLEAN_BUF wh_buf ids;
  wh_buf_init(&ids, l->sql.base.mem, 0);
  bool good = read_binary(item, "recent", &ids);
  if (ids.failed) return wh_buf_check(&ids, err);
  if (!good || ids.len % 8 || ids.len > sizeof ret->ids) return fail_strange(l, err);
  ret->id_count = ids.len / 8;
  for (size_t i = 0; i < ret->id_count; i++)
    ret->ids[i] = get_u64(ids.data + 8 * i);
  return WH_OK;
}

static wh_status read_head(const dynamo_ledger *l, const json_t *item, dynamo_head *ret,
                           wh_error *err) {
  int64_t format = wh_dynamodb_item_number(item, "format", 0);
  int64_t commit = wh_dynamodb_item_number(item, "commit", 0);
  if (format > DYNAMO_FORMAT)
    return wh_fail(
        err, WH_ERR_REFUSED,
        "%s: a newer wherry wrote this ledger (format %lld; this one knows %d). Use that "
        "wherry, or give this one a ledger of its own",
        l->sql.base.path, (long long)format, DYNAMO_FORMAT);
  if (format < 1 || commit < 1) return fail_strange(l, err);
  ret->commit = (uint64_t)commit;
  WH_TRY(read_ids(l, item, ret, err));
  bool good = read_binary(item, "log", &ret->log);
  WH_TRY(wh_buf_check(&ret->log, err));
  return good ? WH_OK : fail_strange(l, err);
}

static wh_status fail_keys(const dynamo_ledger *l, wh_error *err) {
  return wh_fail(err, WH_ERR_REFUSED,
                 "%s: table %.*s is not a ledger's: its key is not ledger (S) and part (N). Give "
                 "another `table`, which is created when it is missing",
                 l->sql.base.path, WH_STR_ARG(l->table));
}

wh_status dynamo_get_head(dynamo_ledger *l, dynamo_head *ret, wh_error *err) {
  WH_CLEAN_BUF wh_buf body;
  WH_CLEAN_JSON json_t *answer = NULL;
  bool missing;
  *ret = (dynamo_head){0};
  wh_buf_init(&ret->log, l->sql.base.mem, 0);
  begin_body(l, &body);
  wh_buf_add_c(&body, ",\"ConsistentRead\":true,\"Key\":{");
  add_key(l, &body, "0");
  wh_buf_add_c(&body, "}}");
  wh_status status = ask(l, WH_DYNAMODB_ACTION("GetItem"), &body, &missing, &answer, err);
  // It is the key that the service finds fault with: nothing else is in the request.
  if (status == WH_ERR_REFUSED) return fail_keys(l, err);
  WH_TRY(status);
  if (missing)
    return wh_fail(err, WH_ERR_NOT_FOUND, "%s: there is no table %.*s any more", l->sql.base.path,
                   WH_STR_ARG(l->table));
  const json_t *item = json_object_get(answer, "Item");
  return json_is_object(item) ? read_head(l, item, ret, err) : WH_OK;
}

static void add_ids(const dynamo_head *head, wh_buf *body) {
  uint8_t ids[sizeof head->ids];
  for (size_t i = 0; i < head->id_count; i++)
    put_u64(ids + 8 * i, head->ids[i]);
  add_binary(body, "recent", wh_str_n((const char *)ids, 8 * head->id_count));
}

static void add_condition(const dynamo_ledger *l, wh_buf *body) {
  if (!l->head.commit)
    wh_buf_add_c(body, ",\"ConditionExpression\":\"attribute_not_exists(#i)\","
                       "\"ExpressionAttributeNames\":{\"#i\":\"id\"}}");
  else
    wh_buf_printf(body,
                  ",\"ConditionExpression\":\"#i = :i\",\"ExpressionAttributeNames\":"
                  "{\"#i\":\"id\"},\"ExpressionAttributeValues\":{\":i\":{\"S\":\"%016llx\"}}}",
                  (unsigned long long)l->head.ids[0]);
}

wh_status dynamo_put_head(dynamo_ledger *l, const dynamo_head *head, int *ret_attempts,
                          wh_error *err) {
  WH_CLEAN_BUF wh_buf body;
  WH_CLEAN_JSON json_t *answer = NULL;
  begin_body(l, &body);
  wh_buf_add_c(&body, ",\"Item\":{");
  add_key(l, &body, "0");
  wh_buf_printf(&body, ",\"format\":{\"N\":\"%d\"},\"commit\":{\"N\":\"%llu\"}", DYNAMO_FORMAT,
                (unsigned long long)head->commit);
  wh_buf_printf(&body, ",\"id\":{\"S\":\"%016llx\"}", (unsigned long long)head->ids[0]);
  add_ids(head, &body);
  add_binary(&body, "log", wh_buf_str(&head->log));
  wh_buf_add_char(&body, '}');
  add_condition(l, &body);
  *ret_attempts = 0;
  return ask_counted(l, WH_DYNAMODB_ACTION("PutItem"), &body, NULL, &answer, ret_attempts, err);
}

// --- pieces
// ----------------------------------------------------------------------------------------

typedef struct piece_number {
  char text[48];
} piece_number;

static piece_number number_of(uint64_t commit, uint32_t chance, uint32_t piece) {
  piece_number number;
  snprintf(number.text, sizeof number.text, "%llu%09u%04u", (unsigned long long)commit, chance,
           piece);
  return number;
}

wh_status dynamo_put_pieces(dynamo_ledger *l, const dynamo_entry *entry, wh_str stored,
                            wh_error *err) {
  for (uint32_t i = 0; i < entry->pieces; i++) {
    WH_CLEAN_BUF wh_buf body;
    WH_CLEAN_JSON json_t *answer = NULL;
    size_t at = (size_t)i * DYNAMO_PIECE_BYTES;
    begin_body(l, &body);
    wh_buf_add_c(&body, ",\"Item\":{");
    add_key(l, &body, number_of(entry->commit, entry->chance, i).text);
    add_binary(&body, "data", wh_str_sub(stored, at, at + DYNAMO_PIECE_BYTES));
    wh_buf_add_c(&body, "}}");
    WH_TRY(ask(l, WH_DYNAMODB_ACTION("PutItem"), &body, NULL, &answer, err));
  }
  return WH_OK;
}

// A page of the items between two parts, from behind `*after`, which the next begins with; empty
// when there are no more.
static wh_status query(dynamo_ledger *l, const char *from, const char *to, bool with_data,
                       piece_number *after, json_t **ret, wh_error *err) {
  WH_CLEAN_BUF wh_buf body;
  begin_body(l, &body);
  wh_buf_add_c(&body, ",\"ConsistentRead\":true,\"KeyConditionExpression\":"
                      "\"#l = :l AND #p BETWEEN :a AND :b\",\"ExpressionAttributeNames\":"
                      "{\"#l\":\"ledger\",\"#p\":\"part\"},\"ExpressionAttributeValues\":{"
                      "\":l\":{\"S\":");
  wh_buf_add_json(&body, l->name);
  wh_buf_printf(&body, "},\":a\":{\"N\":\"%s\"},\":b\":{\"N\":\"%s\"}}", from, to);
  if (!with_data) wh_buf_add_c(&body, ",\"ProjectionExpression\":\"#p\"");
  if (after->text[0]) {
    wh_buf_add_c(&body, ",\"ExclusiveStartKey\":{");
    add_key(l, &body, after->text);
    wh_buf_add_char(&body, '}');
  }
  wh_buf_add_char(&body, '}');
  WH_TRY(ask(l, WH_DYNAMODB_ACTION("Query"), &body, NULL, ret, err));
  wh_str last = wh_dynamodb_item_text(json_object_get(*ret, "LastEvaluatedKey"), "part", "N");
  if (last.len >= sizeof after->text) return fail_strange(l, err);
  snprintf(after->text, sizeof after->text, "%.*s", WH_STR_ARG(last));
  return WH_OK;
}

wh_status dynamo_get_pieces(dynamo_ledger *l, const dynamo_entry *entry, wh_buf *out,
                            wh_error *err) {
  piece_number after = {0}, from = number_of(entry->commit, entry->chance, 0);
  piece_number to = number_of(entry->commit, entry->chance, entry->pieces - 1);
  size_t count = 0;
  do {
    WH_CLEAN_JSON json_t *page = NULL;
    size_t i;
    json_t *item;
    WH_TRY(query(l, from.text, to.text, true, &after, &page, err));
    json_array_foreach(json_object_get(page, "Items"), i, item) {
      count++;
      if (!read_binary(item, "data", out) && !out->failed) return fail_strange(l, err);
    }
  } while (after.text[0]);
  WH_TRY(wh_buf_check(out, err));
  if (count == entry->pieces && out->len == entry->stored_bytes) return WH_OK;
  return wh_fail(err, WH_ERR_NOT_FOUND, "%s: pieces of the ledger are missing from table %.*s",
                 l->sql.base.path, WH_STR_ARG(l->table));
}

static wh_status delete_piece(dynamo_ledger *l, const char *part, wh_error *err) {
  WH_CLEAN_BUF wh_buf body;
  WH_CLEAN_JSON json_t *answer = NULL;
  begin_body(l, &body);
  wh_buf_add_c(&body, ",\"Key\":{");
  add_key(l, &body, part);
  wh_buf_add_c(&body, "}}");
  return ask(l, WH_DYNAMODB_ACTION("DeleteItem"), &body, NULL, &answer, err);
}

// Of the entry, by number: all but the four digits of the piece are the same.
static bool is_of(const dynamo_entry *entry, wh_str part) {
  piece_number own = number_of(entry->commit, entry->chance, 0);
  size_t same = strlen(own.text) - 4;
  return entry->pieces && part.len == same + 4 && memcmp(part.data, own.text, same) == 0;
}

wh_status dynamo_tidy(dynamo_ledger *l, wh_error *err) {
  piece_number after = {0}, last = number_of(l->head.commit, 999999999, 9999);
  dynamo_entry kept;
  size_t at = 0;
  if (!dynamo_log_next(wh_buf_str(&l->head.log), &at, &kept)) return WH_OK;
  do {
    WH_CLEAN_JSON json_t *page = NULL;
    size_t i;
    json_t *item;
    WH_TRY(query(l, "1", last.text, false, &after, &page, err));
    json_array_foreach(json_object_get(page, "Items"), i, item) {
      wh_str part = wh_dynamodb_item_text(item, "part", "N");
      piece_number number;
      if (is_of(&kept, part) || part.len >= sizeof number.text) continue;
      snprintf(number.text, sizeof number.text, "%.*s", WH_STR_ARG(part));
      WH_TRY(delete_piece(l, number.text, err));
    }
  } while (after.text[0]);
  return WH_OK;
}

// --- the table
// -------------------------------------------------------------------------------------

wh_status dynamo_make_table(dynamo_ledger *l, wh_error *err) {
  static const wh_dynamodb_attribute hash = {WH_STR_INIT("ledger"), 'S'};
  static const wh_dynamodb_attribute range = {WH_STR_INIT("part"), 'N'};
  WH_CLEAN_CLIENT wh_aws_client *client = NULL;
  WH_TRY(wh_dynamodb_check_name(&l->connection, l->table, err));
  WH_TRY(wh_dynamodb_take(&l->connection, &client, err));
  return wh_dynamodb_create(&l->connection, client, l->table, &hash, &range, (wh_str){0}, err);
}
