#include "test.h"

#include "base/log.h"
#include "serve/ask.h"
#include "serve/page.h"
#include "serve/request.h"
#include "serve/serve.h"
#include "serve/show.h"
#include "serve/template.h"

#include <sqlite3.h>

// --- addresses -----------------------------------------------------------------------------------

static wh_ip ip_of(const char *text) {
  wh_ip ip = {0};
  CHECK(wh_ip_parse(wh_str_of(text), &ip));
  return ip;
}

TEST(addresses_are_parsed_strictly) {
  static const char *const wrong[] = {"",          "1.2.3",  "1.2.3.4.5", "256.1.1.1", "1.2.3.4 ",
                                      "01.2.3.4x", "::1%lo", "[::1]",     "12345::",   "1.2.3.4:80",
                                      "localhost", ":",      "1::2::3"};
  wh_ip ip;
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
    if (!CHECK(!wh_ip_parse(wh_str_of(wrong[i]), &ip))) test_note("%s", wrong[i]);
  CHECK(!wh_ip_parse(wh_str_n("1.2.3.4\0", 8), &ip));
  wh_ip a = ip_of("192.0.2.7"), b = ip_of("::ffff:192.0.2.7"), c = ip_of("2001:db8::1");
  CHECK(wh_ip_eq(&a, &b));
  CHECK(wh_ip_is_v4(&a));
  CHECK(!wh_ip_is_v4(&c));
}

TEST(blocks_hold_their_addresses) {
  static const struct {
    const char *block, *address;
    bool in;
  } cases[] = {
      {"10.0.0.0/8", "10.255.0.1", true},
      {"10.0.0.0/8", "11.0.0.1", false},
      {"10.1.2.3/8", "10.9.9.9", true},
      {"192.0.2.128/25", "192.0.2.127", false},
      {"192.0.2.128/25", "192.0.2.200", true},
      {"192.0.2.7", "192.0.2.7", true},
      {"192.0.2.7", "192.0.2.8", false},
      {"0.0.0.0/0", "203.0.113.1", true},
      {"0.0.0.0/0", "2001:db8::1", false},
      {"::/0", "203.0.113.1", true},
      {"2001:db8::/33", "2001:db8:7fff::", true},
      {"2001:db8::/33", "2001:db8:8000::", false},
      {"::1", "::1", true},
      {"::1", "127.0.0.1", false},
      {"::ffff:10.0.0.0/104", "10.2.3.4", true},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    wh_ip_block block;
    REQUIRE(wh_ip_block_parse(wh_str_of(cases[i].block), &block));
    wh_ip ip = ip_of(cases[i].address);
    if (!CHECK_EQ(wh_ip_in(&ip, &block, 1), cases[i].in))
      test_note("%s in %s", cases[i].address, cases[i].block);
  }
  static const char *const wrong[] = {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "::/129",
                                      "/8",          "10/8",      "10.0.0.0/8/8"};
  wh_ip_block block;
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
    if (!CHECK(!wh_ip_block_parse(wh_str_of(wrong[i]), &block))) test_note("%s", wrong[i]);
}

TEST(who_is_behind_proxies_is_the_rightmost_one_who_is_none) {
  static const struct {
    const char *peer, *forwarded, *want;
  } cases[] = {
      {"203.0.113.9", "198.51.100.1", "203.0.113.9"}, // not a proxy of ours
      {"10.0.0.1", "", "10.0.0.1"},
      {"10.0.0.1", "198.51.100.1", "198.51.100.1"},
      {"10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"}, // the left one is hearsay
      {"10.0.0.1", "1.1.1.1,198.51.100.1 , 10.0.0.2,\t10.0.0.3", "198.51.100.1"},
      {"10.0.0.1", "10.0.0.2, 10.0.0.3", "10.0.0.2"}, // proxies all the way
      {"10.0.0.1", "198.51.100.1:4711", "198.51.100.1"},
      {"10.0.0.1", "[2001:db8::7]:443", "2001:db8::7"},
      {"10.0.0.1", "2001:db8::7", "2001:db8::7"},
      {"10.0.0.1", "198.51.100.1, unknown", "10.0.0.1"}, // unreadable: the last who is known
      {"10.0.0.1", "198.51.100.1, rubbish, 10.0.0.2", "10.0.0.2"},
      {"10.0.0.1", "198.51.100.1,", "10.0.0.1"},
      {"::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"},
  };
  wh_ip_block trusted;
  REQUIRE(wh_ip_block_parse(WH_STR("10.0.0.0/8"), &trusted));
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    wh_ip peer = ip_of(cases[i].peer), want = ip_of(cases[i].want);
    wh_ip got = wh_ip_behind(&peer, wh_str_of(cases[i].forwarded), &trusted, 1);
    if (!CHECK(wh_ip_eq(&got, &want))) test_note("%s, %s", cases[i].peer, cases[i].forwarded);
  }
}

TEST(the_log_sees_networks_only) {
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, &test_mem, 0);
  wh_ip a = ip_of("198.51.100.77"), b = ip_of("2001:db8:1:2:3::4");
  wh_ip_write_network(&a, &out);
  wh_buf_add_char(&out, ' ');
  wh_ip_write_network(&b, &out);
  CHECK_STR(wh_buf_str(&out), WH_STR("198.51.100.0/24 2001:db8:1::/48"));
  wh_ip network = wh_ip_network(&b, 64), want = ip_of("2001:db8:1:2::");
  CHECK(wh_ip_eq(&network, &want));
  network = wh_ip_network(&a, 64);
  CHECK(wh_ip_eq(&network, &a));
}

// --- limits --------------------------------------------------------------------------------------

#define SECOND (1000000000LL)

static wh_os_real real_os;

static bool open_limiter(wh_limiter *limiter, int64_t window_ns) {
  return CHECK_OK(wh_os_real_init(&real_os, &test_mem, &test_err)) &&
         CHECK_OK(wh_limiter_init(limiter, &real_os.base, &test_mem, window_ns, &test_err));
}

static void close_limiter(wh_limiter *limiter) {
  wh_limiter_free(limiter);
  wh_os_real_free(&real_os);
}

TEST(a_bucket_empties_and_refills_evenly) {
  wh_limiter l = {0};
  REQUIRE(open_limiter(&l, 60 * SECOND));
  int64_t wait = 0, now = 5 * SECOND;
  for (int i = 0; i < 30; i++)
    CHECK(wh_limiter_take(&l, WH_STR("me"), 30, now, NULL, &wait));
  CHECK(!wh_limiter_take(&l, WH_STR("me"), 30, now, NULL, &wait));
  CHECK_EQ(wait, 2 * SECOND);
  CHECK(wh_limiter_take(&l, WH_STR("you"), 30, now, NULL, &wait));
  CHECK(!wh_limiter_take(&l, WH_STR("me"), 30, now + SECOND, NULL, &wait));
  CHECK_EQ(wait, SECOND);
  CHECK(wh_limiter_take(&l, WH_STR("me"), 30, now + 2 * SECOND, NULL, &wait));
  CHECK(!wh_limiter_take(&l, WH_STR("me"), 30, now + 2 * SECOND, NULL, &wait));
  now += 1000 * SECOND;
  for (int i = 0; i < 30; i++)
    CHECK(wh_limiter_take(&l, WH_STR("me"), 30, now, NULL, &wait));
  CHECK(!wh_limiter_take(&l, WH_STR("me"), 30, now, NULL, &wait));
  close_limiter(&l);
}

TEST(a_flood_of_others_gives_no_tries_back) {
  wh_limiter l = {0};
  REQUIRE(open_limiter(&l, 3600 * SECOND));
  int64_t wait;
  for (int i = 0; i < 10; i++)
    CHECK(wh_limiter_take(&l, WH_STR("victim"), 10, SECOND, NULL, &wait));
  CHECK(!wh_limiter_take(&l, WH_STR("victim"), 10, SECOND, NULL, &wait));
  size_t refused = 0;
  for (int i = 0; i < 20000; i++) {
    char name[32];
    wh_limit_ticket ticket;
    int len = snprintf(name, sizeof name, "other %d", i);
    if (!wh_limiter_take(&l, wh_str_n(name, (size_t)len), 10, SECOND, &ticket, &wait))
      refused++;
    else if (i % 2)
      wh_limiter_give_back(&l, &ticket); // as somebody would who has right answers
  }
  CHECK(!wh_limiter_take(&l, WH_STR("victim"), 10, SECOND, NULL, &wait));
  CHECK(refused < 20); // and others are hardly hindered
  close_limiter(&l);
}

TEST(a_try_that_is_given_back_was_not_made) {
  wh_limiter l = {0};
  REQUIRE(open_limiter(&l, 3600 * SECOND));
  int64_t wait;
  wh_limit_ticket ticket, other;
  for (int i = 0; i < 100; i++) {
    REQUIRE(wh_limiter_take(&l, WH_STR("key"), 3, SECOND, &ticket, &wait));
    wh_limiter_give_back(&l, &ticket);
  }
  REQUIRE(wh_limiter_take(&l, WH_STR("key"), 3, SECOND, &ticket, &wait));
  REQUIRE(wh_limiter_take(&l, WH_STR("key"), 3, SECOND, &other, &wait));
  wh_limiter_give_back(&l, &ticket); // somebody has counted on it since: it stays spent
  CHECK(wh_limiter_take(&l, WH_STR("key"), 3, SECOND, NULL, &wait));
  CHECK(!wh_limiter_take(&l, WH_STR("key"), 3, SECOND, NULL, &wait));
  close_limiter(&l);
}

// --- requests ------------------------------------------------------------------------------------

static wh_status parse(wh_arena *arena, wh_body_kind kind, wh_str body, wh_request_field f[2]) {
  f[0] = (wh_request_field){.name = WH_STR("key")};
  f[1] = (wh_request_field){.name = WH_STR("proof")};
  return wh_request_parse(kind, body, arena, f, 2, &test_err);
}

TEST(forms_are_decoded) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_request_field f[2];
  REQUIRE_OK(parse(&arena, WH_BODY_FORM, WH_STR("key=a%2Bb+c%c3%A9&x=%00&proof="), f));
  CHECK_STR(f[0].value, WH_STR("a+b c\xC3\xA9"));
  CHECK_STR(f[1].value, WH_STR(""));
  REQUIRE_OK(parse(&arena, WH_BODY_FORM, WH_STR("&&proof=b=c&%6bey=1"), f));
  CHECK_STR(f[0].value, WH_STR("1"));
  CHECK_STR(f[1].value, WH_STR("b=c"));
}

TEST(json_questions_are_decoded) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_request_field f[2];
  REQUIRE_OK(parse(
      &arena, WH_BODY_JSON,
      WH_STR(" {\"key\" : \"a\\u00e9\\ud83d\\ude00\\/\\\"\" ,\n\"proof\":-120,\"x\":0} "), f));
  CHECK_STR(f[0].value, WH_STR("a\xC3\xA9\xF0\x9F\x98\x80/\""));
  CHECK_STR(f[1].value, WH_STR("-120"));
}

TEST(what_is_no_question_is_refused_with_its_reason) {
  static const struct {
    wh_body_kind kind;
    const char *body, *reason;
  } cases[] = {
      {WH_BODY_FORM, "", "key is missing"},
      {WH_BODY_FORM, "key=1", "proof is missing"},
      {WH_BODY_FORM, "key=1&proof=2&key=3", "key is given twice"},
      {WH_BODY_FORM, "key=%", "a % without two digits"},
      {WH_BODY_FORM, "key=%4&proof=1", "a % without two digits"},
      {WH_BODY_FORM, "key=%ff&proof=1", "key is not UTF-8"},
      {WH_BODY_FORM, "key=%00&proof=1", "key has control characters"},
      {WH_BODY_FORM, "key=1&proof=%7f", "proof has control characters"},
      {WH_BODY_JSON, "", "'{' is missing at byte 0"},
      {WH_BODY_JSON, "{}", "key is missing"},
      {WH_BODY_JSON, "{\"key\":\"1\"", "'}' is missing at byte 10"},
      {WH_BODY_JSON, "{\"key\":\"1\",}", "a name is missing at byte 11"},
      {WH_BODY_JSON, "{\"key\" \"1\"}", "':' is missing at byte 7"},
      {WH_BODY_JSON, "{\"key\":\"1\",\"key\":\"1\"}", "key is given twice"},
      {WH_BODY_JSON, "{\"key\":\"1", "an open string"},
      {WH_BODY_JSON, "{\"key\":\"\\x\"}", "a wrong escape"},
      {WH_BODY_JSON, "{\"key\":\"\\ud800\"}", "a wrong escape"},
      {WH_BODY_JSON, "{\"key\":\"\\ude00\"}", "a wrong escape"},
      {WH_BODY_JSON, "{\"key\":\"\\u12\"}", "a wrong escape"},
      {WH_BODY_JSON, "{\"key\":\"\n\"}", "a control character"},
      {WH_BODY_JSON, "{\"key\":null}", "neither a text nor a whole number"},
      {WH_BODY_JSON, "{\"key\":01}", "neither a text nor a whole number"},
      {WH_BODY_JSON, "{\"key\":-}", "neither a text nor a whole number"},
      {WH_BODY_JSON, "{\"key\":1.5}", "'}' is missing"},
      {WH_BODY_JSON, "{\"key\":[\"1\"]}", "neither a text nor a whole number"},
      {WH_BODY_JSON, "{\"key\":\"1\",\"proof\":\"2\"} {}", "more behind its end"},
      {WH_BODY_JSON, "\xFF", "not UTF-8"},
      {WH_BODY_OTHER, "key=1&proof=1", "neither a form nor JSON"},
  };
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    wh_request_field f[2];
    CHECK_FAILS(parse(&arena, cases[i].kind, wh_str_of(cases[i].body), f), WH_ERR_DATA);
    if (!CHECK_ERROR_HAS(cases[i].reason)) test_note("%s", cases[i].body);
  }
}

TEST(a_question_has_limits) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  WH_CLEAN_BUF wh_buf body;
  wh_buf_init(&body, &test_mem, 0);
  wh_request_field f[2];
  wh_buf_add_c(&body, "proof=1&key=");
  while (body.len < WH_REQUEST_BODY_MAX)
    wh_buf_add_char(&body, 'x');
  CHECK_OK(parse(&arena, WH_BODY_FORM, wh_buf_str(&body), f));
  CHECK_EQ(f[1].value.len, 1);
  CHECK_EQ(f[0].value.len, WH_REQUEST_BODY_MAX - 12);
  wh_buf_add_char(&body, 'x');
  CHECK_FAILS(parse(&arena, WH_BODY_FORM, wh_buf_str(&body), f), WH_ERR_DATA);
  wh_buf_clear(&body);
  for (int i = 0; i <= WH_REQUEST_FIELDS_MAX; i++)
    wh_buf_add_c(&body, "a=b&");
  CHECK_FAILS(parse(&arena, WH_BODY_FORM, wh_buf_str(&body), f), WH_ERR_DATA);
  CHECK_ERROR_HAS("too many fields");
}

TEST(parsing_without_memory_is_an_error) {
  static const wh_str bodies[] = {WH_STR_INIT("key=1&proof=2"),
                                  WH_STR_INIT("{\"key\":\"1\",\"proof\":\"2\"}")};
  for (size_t i = 0; i < 2; i++) {
    wh_status status = WH_ERR_MEMORY;
    for (size_t n = 1; status == WH_ERR_MEMORY && n < 10; n++) {
      wh_arena arena;
      wh_request_field f[2];
      wh_arena_init(&arena, &test_mem);
      atomic_store(&test_mem.fail_at, atomic_load(&test_mem.count) + n);
      status = parse(&arena, i ? WH_BODY_JSON : WH_BODY_FORM, bodies[i], f);
      atomic_store(&test_mem.fail_at, 0);
      wh_arena_free(&arena);
    }
    CHECK_EQ(status, WH_OK);
  }
}

TEST(kinds_of_bodies_and_answers) {
  CHECK_EQ(wh_body_kind_of(WH_STR("application/x-www-form-urlencoded")), WH_BODY_FORM);
  CHECK_EQ(wh_body_kind_of(WH_STR("Application/JSON ; Charset=\"utf-8\"")), WH_BODY_JSON);
  CHECK_EQ(wh_body_kind_of(WH_STR("application/json; charset=latin1")), WH_BODY_OTHER);
  CHECK_EQ(wh_body_kind_of(WH_STR("application/jsonp")), WH_BODY_OTHER);
  CHECK_EQ(wh_body_kind_of(WH_STR("multipart/form-data; boundary=x")), WH_BODY_OTHER);
  CHECK_EQ(wh_body_kind_of(WH_STR("")), WH_BODY_OTHER);
  CHECK(wh_accepts_json(WH_STR("text/plain, application/json;q=0.9")));
  CHECK(!wh_accepts_json(WH_STR("text/html,application/json")));
  CHECK(!wh_accepts_json(WH_STR("*/*")));
  CHECK(!wh_accepts_json(WH_STR("")));
}

// --- pages ---------------------------------------------------------------------------------------

TEST(text_cannot_become_html) {
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, &test_mem, 0);
  CHECK(wh_html_escape(WH_STR("<a href=\"x\" id='y'>&amp;\n\x01\xFF\xC3\xA9\xE2\x82"), &out));
  CHECK_STR(wh_buf_str(&out),
            WH_STR("&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;amp;\n\xEF\xBF\xBD\xEF\xBF\xBD"
                   "\xC3\xA9\xEF\xBF\xBD\xEF\xBF\xBD"));
}

TEST(templates_are_filled_once) {
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, &test_mem, 0);
  const wh_template_slot slots[] = {{"a", WH_STR("{{b}}<"), false},
                                    {"b", WH_STR("<b>{{a}}"), true}};
  CHECK(wh_template_fill(WH_STR("{{a}} {{b}}{{a}} { {} }}"), slots, 2, &out));
  CHECK_STR(wh_buf_str(&out), WH_STR("{{b}}&lt; <b>{{a}}{{b}}&lt; { {} }}"));
}

TEST(names_become_words) {
  static const char *const cases[][2] = {
      {"OrderNumber", "Order number"},
      {"order_status", "Order status"},
      {"order-status", "Order status"},
      {"UpdatedAt", "Updated at"},
      {"VATNumber", "VATNumber"},
      {"id", "Id"},
      {"already in words", "Already in words"},
  };
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    CHECK_STR(wh_name_in_words(wh_str_of(cases[i][0]), &arena), wh_str_of(cases[i][1]));
}

static void check_shown(const wh_type *type, wh_str text, const char *want) {
  wh_column column;
  wh_value value;
  WH_CLEAN_ARENA wh_arena arena;
  WH_CLEAN_BUF wh_buf out;
  wh_arena_init(&arena, &test_mem);
  wh_buf_init(&out, &test_mem, 0);
  wh_column_init(&column, &test_mem, type);
  if (CHECK_OK(wh_value_parse(text, type, &arena, &value, &test_err)) &&
      CHECK_OK(wh_value_add(&column, &value, &test_err)) &&
      CHECK(wh_show_value_html(&column, 0, &test_mem, &out)))
    CHECK_STR(wh_buf_str(&out), wh_str_of(want));
  wh_column_free(&column);
}

TEST(values_are_shown_as_people_write_them) {
  wh_type text = wh_type_of(WH_STRING), date = wh_type_of(WH_DATE),
          local = wh_type_of(WH_TIMESTAMP);
  wh_type zoned = local, decimal = {.kind = WH_DECIMAL, .precision = 10, .scale = 2};
  wh_type boolean = wh_type_of(WH_BOOL), whole = wh_type_of(WH_INT64), time = wh_type_of(WH_TIME);
  zoned.zoned = true;
  check_shown(&date, WH_STR("2026-11-21"), "<time datetime=\"2026-11-21\">21 November 2026</time>");
  check_shown(&local, WH_STR("2026-01-02T08:05:09.5"),
              "<time datetime=\"2026-01-02T08:05:09.5\">2 January 2026, 08:05</time>");
  check_shown(&zoned, WH_STR("2026-11-21T08:55:00Z"),
              "<time datetime=\"2026-11-21T08:55:00Z\">21 November 2026, 08:55 UTC</time>");
  check_shown(&text, WH_STR("2026-11-21 08:55-05:30"),
              "<time datetime=\"2026-11-21 08:55-05:30\">21 November 2026, 08:55 UTC-5:30</time>");
  check_shown(&text, WH_STR("2026-13-21"), "2026-13-21");
  check_shown(&text, WH_STR("08:55"), "08:55");
  check_shown(&text, WH_STR("<b>"), "&lt;b&gt;");
  check_shown(&text, WH_STR(""), "<span class=\"none\">Empty</span>");
  check_shown(&time, WH_STR("08:55:00"), "08:55:00");
  check_shown(&decimal, WH_STR("1234.50"), "1234.50");
  check_shown(&whole, WH_STR("-7"), "-7");
  check_shown(&boolean, WH_STR("true"), "Yes");
  check_shown(&boolean, WH_STR("false"), "No");
  wh_column column;
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, &test_mem, 0);
  wh_column_init(&column, &test_mem, &date);
  CHECK_OK(wh_column_add_null(&column, &test_err));
  CHECK(wh_show_value_html(&column, 0, &test_mem, &out));
  CHECK_STR(wh_buf_str(&out), WH_STR("<span class=\"none\">Not set</span>"));
  wh_column_free(&column);
}

TEST(fields_help_whoever_fills_them_in) {
  wh_mask mask = {.kind = WH_MASK_HMAC}, digits = {.normalize = WH_NORMALIZE_DIGITS};
  wh_field_hints h = wh_field_hints_of(WH_STR("Your postcode"), WH_STR("PcProof"), &mask);
  CHECK_STR(wh_str_of(h.autocomplete), WH_STR("postal-code"));
  CHECK_STR(wh_str_of(h.autocapitalize), WH_STR("characters"));
  h = wh_field_hints_of(WH_STR("Postleitzahl"), WH_STR("ZipProof"), &digits);
  CHECK_STR(wh_str_of(h.autocomplete), WH_STR("postal-code"));
  CHECK_STR(wh_str_of(h.inputmode), WH_STR("numeric"));
  h = wh_field_hints_of(WH_STR("E-mail"), WH_STR("x"), &mask);
  CHECK_STR(wh_str_of(h.type), WH_STR("email"));
  h = wh_field_hints_of(WH_STR("Order number"), WH_STR("OrderNumber"), NULL);
  CHECK_STR(wh_str_of(h.autocomplete), WH_STR("off"));
  h = wh_field_hints_of(WH_STR("Postcode"), WH_STR("Postcode"), NULL); // a key is not a person's
  CHECK_STR(wh_str_of(h.autocomplete), WH_STR("off"));
}

TEST(a_page_without_memory_is_not_made) {
  wh_lookup_proof proof = {.column = WH_STR("P"), .label = WH_STR("Postcode")};
  wh_lookup l = {.name = WH_STR("order"),
                 .title = WH_STR("T"),
                 .by = WH_STR("N"),
                 .by_label = WH_STR("Number"),
                 .proofs = &proof,
                 .proof_count = 1,
                 .logo = WH_STR("x.svg")};
  wh_page_note note = {.heading = "H", .text = "t"};
  bool made = false;
  size_t n = 0;
  while (!made && n++ < 200) {
    wh_buf out;
    wh_buf_init(&out, &test_mem, 0);
    atomic_store(&test_mem.fail_at, atomic_load(&test_mem.count) + n);
    made = wh_page_lookup(&l, &note, &test_mem, &out);
    atomic_store(&test_mem.fail_at, 0);
    wh_buf_free(&out);
  }
  CHECK(made);
  CHECK(n > 5);
}

// --- the whole -----------------------------------------------------------------------------------

static const char yaml[] = "version: 1\n"
                           "connections:\n"
                           "  website: { type: sqlite, path: website.db }\n"
                           "masks:\n"
                           "  proof: { normalize: digits, hmac: \"sixteen bytes or more\" }\n"
                           "serve:\n"
                           "  listen: 127.0.0.1:0\n"
                           "  trusted_proxies: [10.0.0.0/8]\n"
                           "  lookups:\n"
                           "    order:\n"
                           "      from: website:orders\n"
                           "      by: Number\n"
                           "      proof: { PinProof: proof }\n"
                           "      show: [Status]\n";

// HMAC-SHA-256 of "1234" under the mask's key.
static void make_orders(const char *folder) {
  char path[512], sql[512];
  uint8_t digest[WH_SHA256_BYTES];
  WH_CLEAN_BUF wh_buf hex;
  wh_buf_init(&hex, &test_mem, 0);
  wh_hmac_of(WH_STR("sixteen bytes or more"), WH_STR("1234"), digest);
  CHECK(wh_buf_add_hex(&hex, digest, sizeof digest));
  snprintf(path, sizeof path, "%s/website.db", folder);
  snprintf(sql, sizeof sql,
           "CREATE TABLE orders(Number INTEGER PRIMARY KEY, Status TEXT, PinProof TEXT);"
           "INSERT INTO orders VALUES(7, 'Shipped', '%s'), (8, 'Open', NULL), (9, 'Open', 'short')",
           hex.data);
  sqlite3 *db = NULL;
  CHECK_EQ(sqlite3_open(path, &db), SQLITE_OK);
  CHECK_EQ(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(db);
}

static bool open_config(wh_config **ret) {
  static char path[512];
  snprintf(path, sizeof path, "%s/wherry.yaml", test_folder());
  if (!CHECK_OK(wh_os_real_init(&real_os, &test_mem, &test_err))) return false;
  wh_config_source source = {.os = &real_os.base, .mem = &test_mem, .path = path};
  return CHECK_OK(wh_os_write_file(&real_os.base, path, wh_str_of(yaml), false, &test_err)) &&
         CHECK_OK(wh_config_load(&source, ret, &test_err)) && CHECK_EQ((*ret)->error_count, 0);
}

TEST(starting_without_memory_is_an_error) {
  wh_status status = WH_ERR_MEMORY;
  size_t n = 0;
  while (status != WH_OK && n++ < 200) {
    wh_config *config;
    wh_server *server;
    REQUIRE(open_config(&config));
    atomic_store(&test_mem.fail_at, atomic_load(&test_mem.count) + n);
    status = wh_server_start(&real_os.base, &test_mem, config, &server, &test_err);
    atomic_store(&test_mem.fail_at, 0);
    if (status == WH_OK)
      wh_server_stop(server);
    else if (!CHECK_EQ(status, WH_ERR_MEMORY))
      break;
    wh_config_free(config);
    wh_os_real_free(&real_os);
  }
  CHECK_EQ(status, WH_OK);
  CHECK(n > 5);
  wh_server_stop(NULL);
}

typedef struct desk {
  wh_config *config;
  wh_arena arena;
  wh_limiter by_address, by_key;
  wh_ask ask;
} desk;

static bool open_desk(desk *d) {
  *d = (desk){0};
  wh_arena_init(&d->arena, &test_mem);
  if (!open_config(&d->config) || !CHECK_OK(wh_config_serve(d->config, &test_err))) return false;
  wh_os *os = &real_os.base;
  bool ok = CHECK_OK(wh_limiter_init(&d->by_address, os, &test_mem, 60 * SECOND, &test_err)) &&
            CHECK_OK(wh_limiter_init(&d->by_key, os, &test_mem, 3600 * SECOND, &test_err)) &&
            CHECK_OK(wh_ask_init(&d->ask, os, &test_mem, d->config, &d->config->serve.lookups[0],
                                 &d->arena, &test_err));
  d->ask.by_address = &d->by_address;
  d->ask.by_key = &d->by_key;
  return ok;
}

static void close_desk(desk *d) {
  wh_ask_free(&d->ask);
  wh_limiter_free(&d->by_address);
  wh_limiter_free(&d->by_key);
  wh_arena_free(&d->arena);
  wh_config_free(d->config);
  wh_os_real_free(&real_os);
}

static wh_verdict ask(desk *d, const char *key, const char *proof, wh_buf *out) {
  static uint8_t last;
  wh_ip address = {.bytes = {[10] = 0xFF, [11] = 0xFF, [12] = 10, [15] = ++last}};
  wh_str proofs[] = {wh_str_of(proof)};
  wh_question q = {.address = &address, .key = wh_str_of(key), .proofs = proofs};
  int64_t wait_s;
  wh_buf_clear(out);
  return wh_ask_question(&d->ask, &q, WH_ASK_JSON, out, &wait_s);
}

TEST(a_row_is_found_by_key_and_proof_together) {
  desk d;
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, &test_mem, 0);
  make_orders(test_folder());
  if (open_desk(&d)) {
    CHECK_EQ(ask(&d, "7", "12-34", &out), WH_VERDICT_FOUND);
    CHECK_STR(wh_buf_str(&out), WH_STR("{\"found\":true,\"Status\":\"Shipped\"}\n"));
    static const char *const misses[][2] = {{"7", "1235"}, {"6", "1234"}, {"7", ""},
                                            {"7", "x"},    {"8", "1234"}, {"8", ""},
                                            {"9", "1234"}, {"x", "1234"}};
    for (size_t i = 0; i < sizeof misses / sizeof misses[0]; i++) {
      CHECK_EQ(ask(&d, misses[i][0], misses[i][1], &out), WH_VERDICT_MISSED);
      CHECK_EQ(out.len, 0);
    }
  }
  close_desk(&d);
}

TEST(asking_without_memory_fails_and_tells_nothing) {
  desk d;
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, &test_mem, 0);
  make_orders(test_folder());
  wh_log_setup(WH_LOG_ERROR, false, NULL, NULL);
  if (open_desk(&d)) {
    wh_verdict verdict = WH_VERDICT_FAILED;
    size_t n = 0;
    while (verdict != WH_VERDICT_FOUND && n++ < 500) {
      atomic_store(&test_mem.fail_at, atomic_load(&test_mem.count) + n);
      verdict = ask(&d, "7", "1234", &out);
      atomic_store(&test_mem.fail_at, 0);
      if (verdict == WH_VERDICT_FOUND) break;
      CHECK_EQ(verdict, WH_VERDICT_FAILED);
      CHECK_EQ(out.len, 0);
    }
    CHECK_EQ(verdict, WH_VERDICT_FOUND);
    CHECK(n > 10);
  }
  close_desk(&d);
  wh_log_setup(WH_LOG_INFO, false, NULL, NULL);
}
