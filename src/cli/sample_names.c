#include "cli/sample_names.h"

enum { WORDS_MAX = 13 };

typedef struct region {
  const char *weight; // as many stars as its share
  const char *given[WORDS_MAX];
  const char *family[WORDS_MAX];
  bool family_first;
  const char *between;  // the names
  const char *postcode; // A: a letter, 9: a digit, 1: a digit but not 0
} region;

// NULL ends each list. One name is written with a combining dot, as some systems do.
static const region regions[] = {
    {.weight = "************",
     .given = {"Alice", "Brian", "Chloe", "David", "Emma", "Fred", "Grace", "Harry", "Isla", "Jack",
               "Siobhán", "Zoë"},
     .family = {"Baker", "Carter", "Fletcher", "Mason", "O'Hara", "Potter", "Smith-Lee", "Taylor",
                "Walker", "Wright", "Miller", "Cook"},
     .between = " ",
     .postcode = "AA1 9AA"},
    {.weight = "******",
     .given = {"Anke", "Björn", "Christa", "Dieter", "Günther", "Jürgen", "Käthe", "Lotte", "Sören",
               "Ute"},
     .family = {"Bäcker", "Fischer", "Groß", "Jäger", "Krüger", "Müller", "Schröder", "Weiß",
                "Zimmermann"},
     .between = " ",
     .postcode = "19999"},
    {.weight = "*****",
     .given = {"Adèle", "Benoît", "Cécile", "François", "Hélène", "Loïc", "Margaux", "Noël"},
     .family = {"Boulanger", "Chêne", "Garçon", "Lévesque", "Meunier", "René", "Tisserand"},
     .between = " ",
     .postcode = "79999"},
    {.weight = "****",
     .given = {"Álvaro", "Begoña", "Iker", "Lucía", "Martín", "Nuria", "Óscar"},
     .family = {"Carpintero", "Herrero", "Ibáñez", "Muñoz", "Núñez", "Zapatero"},
     .between = " ",
     .postcode = "29999"},
    {.weight = "***",
     .given = {"Élise", "Joost", "Marijke", "Renée", "Sjoerd"},
     .family = {"de Bakker", "van der Meer", "'t Hart", "Kuiper", "IJzer"},
     .between = " ",
     .postcode = "1999 AA"},
    {.weight = "***",
     .given = {"Z\u0307aneta", "Łukasz", "Małgorzata", "Paweł", "Zośka"},
     .family = {"Krawiec", "Młynarz", "Wiśniewski", "Żółw", "Ćwikła"},
     .between = " ",
     .postcode = "99-999"},
    {.weight = "**",
     .given = {"Åsa", "Bjørn", "Göran", "Þóra", "Øyvind"},
     .family = {"Åkesson", "Björk", "Sørensen", "Öberg"},
     .between = " ",
     .postcode = "199 99"},
    {.weight = "**",
     .given = {"Çiğdem", "Gülşen", "İsmail", "Yıldız"},
     .family = {"Aşçı", "Değirmenci", "Öztürk", "Işık"},
     .between = " ",
     .postcode = "39999"},
    {.weight = "**",
     .given = {"An", "Bảo", "Hồng", "Thảo", "Tuấn"},
     .family = {"Nguyễn Văn", "Trần Thị", "Đặng", "Phạm"},
     .family_first = true,
     .between = " ",
     .postcode = "799999"},
    {.weight = "**",
     .given = {"Αννα", "Νίκος", "Ζωή", "Σπύρος"},
     .family = {"Γεωργίου", "Ψαράς", "Μυλωνάς"},
     .between = " ",
     .postcode = "199 99"},
    {.weight = "**",
     .given = {"Анна", "Богдан", "Юлія", "Ігор"},
     .family = {"Коваль", "Мельник", "Щербак", "Їжак"},
     .between = " ",
     .postcode = "19999"},
    {.weight = "**",
     .given = {"أحمد", "ليلى", "نور", "يوسف"},
     .family = {"الخباز", "النجار", "الحداد"},
     .between = " ",
     .postcode = "19999"},
    {.weight = "*",
     .given = {"דוד", "נועה", "רות"},
     .family = {"נגר", "חייט", "אופה"},
     .between = " ",
     .postcode = "9999999"},
    {.weight = "**",
     .given = {"अनु", "राज", "सीता", "विक्रम"},
     .family = {"कुम्हार", "लोहार", "माली"},
     .between = " ",
     .postcode = "199999"},
    {.weight = "*",
     .given = {"กมล", "สมชาย", "มาลี"},
     .family = {"ใจดี", "มั่นคง"},
     .between = " ",
     .postcode = "19999"},
    {.weight = "***",
     .given = {"伟", "芳", "娜", "秀英", "建国"},
     .family = {"王", "李", "欧阳", "陈", "司徒"},
     .family_first = true,
     .between = "",
     .postcode = "199999"},
    {.weight = "***",
     .given = {"太郎", "花子", "さくら", "ケン", "駿"},
     .family = {"山田", "佐藤", "渡辺", "高橋", "黒木"},
     .family_first = true,
     .between = "\u3000",
     .postcode = "199-9999"},
    {.weight = "**",
     .given = {"지민", "하늘", "서연", "도윤"},
     .family = {"김", "이", "박", "남궁"},
     .family_first = true,
     .between = "",
     .postcode = "09999"},
    {.weight = "*",
     .given = {"ნინო", "გიორგი"},
     .family = {"მეჭედლიშვილი", "ხაბაზი"},
     .between = " ",
     .postcode = "0199"},
    {.weight = "*",
     .given = {"Անի", "Արամ"},
     .family = {"Դարբինյան", "Հացագործյան"},
     .between = " ",
     .postcode = "0199"},
};
enum { REGIONS = sizeof regions / sizeof *regions };

uint32_t wh_sample_region(wh_sample_random *r) {
  size_t total = 0;
  for (size_t i = 0; i < REGIONS; i++)
    total += strlen(regions[i].weight);
  size_t at = (size_t)wh_sample_below(r, total);
  uint32_t chosen = 0;
  while (at >= strlen(regions[chosen].weight))
    at -= strlen(regions[chosen++].weight);
  return chosen;
}

static const char *any(wh_sample_random *r, const char *const *words) {
  size_t count = 0;
  while (count < WORDS_MAX && words[count])
    count++;
  return words[wh_sample_below(r, count)];
}

// ASCII letters only, as systems do that know no others.
static void change_case(wh_buf *out, size_t from, bool upper) {
  for (size_t i = from; i < out->len; i++) {
    char c = out->data[i];
    if (upper && c >= 'a' && c <= 'z') out->data[i] = (char)(c - 'a' + 'A');
    if (!upper && c >= 'A' && c <= 'Z') out->data[i] = (char)(c - 'A' + 'a');
  }
}

bool wh_sample_name(wh_sample_random *r, uint32_t region_number, wh_buf *out) {
  const region *g = &regions[region_number];
  const char *given = any(r, g->given), *family = any(r, g->family);
  size_t from = out->len;
  if (wh_sample_chance(r, 60)) wh_buf_add_char(out, ' ');
  wh_buf_add_c(out, g->family_first ? family : given);
  wh_buf_add_c(out, wh_sample_chance(r, 80) ? "  " : g->between);
  wh_buf_add_c(out, g->family_first ? given : family);
  if (wh_sample_chance(r, 200)) wh_buf_add_c(out, "   ");
  if (wh_sample_chance(r, 500))
    change_case(out, from, true);
  else if (wh_sample_chance(r, 300))
    change_case(out, from, false);
  return !out->failed;
}

bool wh_sample_postcode(wh_sample_random *r, uint32_t region_number, wh_buf *out) {
  static const char letters[] = "ABCDEFGHJKLMNPRSTUVWXY";
  size_t from = out->len;
  bool spaces = !wh_sample_chance(r, 500);
  for (const char *p = regions[region_number].postcode; *p; p++) {
    if (*p == 'A')
      wh_buf_add_char(out, letters[wh_sample_below(r, sizeof letters - 1)]);
    else if (*p == '9')
      wh_buf_add_char(out, (char)('0' + wh_sample_below(r, 10)));
    else if (*p == '1')
      wh_buf_add_char(out, (char)('1' + wh_sample_below(r, 9)));
    else if (*p != ' ' || spaces)
      wh_buf_add_char(out, *p);
  }
  if (wh_sample_chance(r, 500)) change_case(out, from, false);
  if (wh_sample_chance(r, 200)) wh_buf_add_char(out, ' ');
  return !out->failed;
}
