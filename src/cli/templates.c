#include "cli/templates.h"

#include "template-files.h"

static const char *const order_status_secrets[] = {"postcode-proof", NULL};

static const wh_template_file order_status_files[] = {
    {"wherry.yaml", &wh_order_status_yaml, "two pipelines and a lookup page"},
    {"wherry.prod.yaml", &wh_order_status_prod, NULL},
    {"README.md", &wh_order_status_readme, NULL},
    {".gitignore", &wh_order_status_gitignore, NULL},
    {0},
};

static const wh_template_file employees_files[] = {
    {"wherry.yaml", &wh_employees_yaml, "one pipeline"},
    {"wherry.prod.yaml", &wh_employees_prod, "the same on AWS, for --env prod"},
    {"wherry.live.yaml", &wh_employees_live, "and with events over HTTP, and what changes"},
    {"wherry.splunk.yaml", &wh_employees_splunk, "and to Splunk, for --env splunk"},
    {"splunk/dashboard.xml", &wh_employees_dashboard, NULL},
    {"splunk/savedsearches.conf", &wh_employees_alert, NULL},
    {"lake/inbound/hr/records.json", &wh_employees_records, "40 made-up records"},
    {"README.md", &wh_employees_readme, NULL},
    {".gitignore", &wh_employees_gitignore, NULL},
    {0},
};

static const wh_template_file empty_files[] = {
    {"wherry.yaml", &wh_empty_yaml, "a beginning, with the words to fill in"},
    {".gitignore", &wh_empty_gitignore, NULL},
    {0},
};

const wh_template wh_templates[] = {
    {"order-status", order_status_files, "erp.db", order_status_secrets},
    {"employees", employees_files, NULL, NULL},
    {"empty", empty_files, NULL, NULL},
    {0},
};
