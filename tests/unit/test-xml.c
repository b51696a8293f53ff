// XML answers.
#include "test.h"

#include "net/xml.h"

static wh_buf seen;

static wh_status start(void *context, wh_str path, wh_error *err) {
  (void)context, (void)err;
  wh_buf_printf(&seen, "<%.*s>", WH_STR_ARG(path));
  return WH_OK;
}

static wh_status end(void *context, wh_str path, wh_str text, wh_error *err) {
  (void)context;
  wh_buf_printf(&seen, "%.*s=%.*s;", WH_STR_ARG(path), WH_STR_ARG(text));
  return wh_str_is(text, "stop") ? wh_fail(err, WH_ERR_CHANGED, "enough") : WH_OK;
}

static wh_status read(const char *xml) {
  static const wh_xml_visitor visitor = {.start = start, .end = end};
  wh_buf_clear(&seen);
  return wh_xml_read(&test_mem, wh_str_of(xml), &visitor, &test_err);
}

TEST(elements_are_told_with_their_paths) {
  wh_buf_init(&seen, &test_mem, 0);
  CHECK_OK(read("<?xml version='1.0' encoding='UTF-8'?><a:r xmlns:a='u'><k x='1'>a&amp;b &#x41;"
                "<![CDATA[<c>]]></k><e/></a:r>"));
  CHECK_STR(wh_buf_str(&seen), WH_STR("</r></r/k>/r/k=a&b A<c>;</r/e>/r/e=;/r=;"));
  CHECK_FAILS(read("<r><k>stop</k><k>2</k></r>"), WH_ERR_CHANGED);
  CHECK_STR(wh_buf_str(&seen), WH_STR("</r></r/k>/r/k=stop;"));
  CHECK_ERROR_HAS("enough");
  wh_buf_free(&seen);
}

TEST(what_is_no_xml) {
  static const char *const wrong[] = {
      "", "x", "<a>", "<a></b>", "<a/><b/>", "<a>&nope;</a>", "<a>\xFF</a>"};
  wh_buf_init(&seen, &test_mem, 0);
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
    if (!CHECK_FAILS(read(wrong[i]), WH_ERR_DATA)) test_note("%s", wrong[i]);
  CHECK_FAILS(read("<a>\n  <b></a>"), WH_ERR_DATA);
  CHECK_ERROR_HAS("not XML at line 2, column 8");
  CHECK_FAILS(read("<!DOCTYPE a [<!ENTITY b 'bb'>]><a>&b;</a>"), WH_ERR_DATA);
  CHECK_ERROR_HAS("document type");
  char deep[WH_XML_DEPTH_MAX * 3 + 4] = "";
  for (size_t i = 0; i <= WH_XML_DEPTH_MAX; i++)
    memcpy(deep + 3 * i, "<a>", 4);
  CHECK_FAILS(read(deep), WH_ERR_LIMIT);
  wh_buf_free(&seen);
}

TEST(one_element) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_str got, xml = WH_STR("<r><k>1</k><k>2</k></r>");
  wh_arena_init(&arena, &test_mem);
  REQUIRE_OK(wh_xml_get(&test_mem, xml, "/r/k", &arena, &got, &test_err));
  CHECK_STR(got, WH_STR("1"));
  REQUIRE_OK(wh_xml_get(&test_mem, xml, "/r/x", &arena, &got, &test_err));
  CHECK(got.data == NULL);
}

TEST(text_becomes_xml) {
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, &test_mem, 0);
  CHECK(wh_xml_add(&out, WH_STR("a<b> & \"c\" 'd'")));
  CHECK_STR(wh_buf_str(&out), WH_STR("a&lt;b&gt; &amp; &quot;c&quot; &apos;d&apos;"));
}

TEST(xml_without_memory) {
  wh_status status = WH_ERR_MEMORY;
  for (size_t n = 1; status != WH_OK && n < 1000; n++) {
    WH_CLEAN_ARENA wh_arena arena;
    wh_str got;
    wh_arena_init(&arena, &test_mem);
    atomic_store(&test_mem.fail_at, atomic_load(&test_mem.count) + n);
    status = wh_xml_get(&test_mem, WH_STR("<r a='b'><k>1</k><k>2</k></r>"), "/r/k", &arena, &got,
                        &test_err);
    atomic_store(&test_mem.fail_at, 0);
    CHECK(status == WH_OK || status == WH_ERR_MEMORY);
  }
  CHECK_EQ(status, WH_OK);
}
