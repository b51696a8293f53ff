#!/usr/bin/env python3
"""The command line as people and scripts meet it: help, mistakes, JSON, secrets, exit statuses."""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.parse
import urllib.request

import tap
from project import Project, order

SENTINEL = "swordfish-7f3a9c"

KEYED = """\
version: 1
connections:
  erp: { type: sqlite, path: erp.db }
  lake: { type: local, path: lake, versioning: true }
  website: { type: sqlite, path: website.db }
masks:
  proof: { hmac: "${secret:proof-key}" }
pipelines:
  # what goes out
  export-orders:
    from: erp:sales_order
    read: { cursor: updated_at }
    columns: # the gate
      OrderNumber: order_number
      OrderStatus: { from: status, mask: proof }
      UpdatedAt: updated_at
    to: lake:inbound/orders-{run}.json

  # what comes in
  import-orders:
    when: new
    from: lake:inbound/*.json
    columns: all
    to: website:orders
    write: { mode: upsert, key: OrderNumber, newest_by: UpdatedAt }

# the end of the file
memory: 64MiB
"""


def environment(folder):
    return dict(os.environ, WHERRY_KEY_FILE=str(folder / "key"), HOME=str(folder))


def wherry(folder, *args, code=0, input=None):
    folder = pathlib.Path(folder)
    done = subprocess.run([str(tap.WHERRY), *map(str, args)], cwd=folder, env=environment(folder), input=input,
                          stdin=subprocess.DEVNULL if input is None else None, capture_output=True, text=True,
                          timeout=120)
    assert code is None or done.returncode == code, \
        f"wherry {args}: expected exit {code}, got {done.returncode}\n{done.stdout}{done.stderr}"
    return done


class Keyed:
    """A project whose export masks a column with a key of the keyring."""

    def __init__(self, config=KEYED):
        self.p = Project(config=config)
        self.folder = self.p.folder
        self.p.make_erp([order("A"), order("B", status="Shipped"), order("C")])
        self.wherry("secret", "set", "proof-key", input=SENTINEL + "-which-is-long\n")

    def wherry(self, *args, **keywords):
        return wherry(self.folder, *args, **keywords)

    def config(self):
        return (self.folder / "wherry.yaml").read_text()


def json_lines(text):
    lines = [json.loads(line) for line in text.splitlines()]
    assert lines and all(isinstance(line, dict) for line in lines), text
    return lines


# --- help and mistakes ---------------------------------------------------------------------------

def test_the_overview_names_every_command_and_each_explains_itself():
    overview = wherry("/", "help").stdout
    tap.equal(wherry("/").stdout, overview)
    names = [c["command"] for c in json_lines(wherry("/", "help", "--json").stdout)]
    for name in ("init discover add check plan run up status runs quarantine receipt verify versions restore "
                 "secret schema ledger help completion man").split():
        assert name in names, name
        assert re.search(rf"^  {name} ", overview, re.M), name
        text = wherry("/", "help", name).stdout
        assert text.startswith(f"Usage: wherry {name}"), text
        tap.equal(wherry("/", name, "--help").stdout, text)
    assert "docs" not in names
    tap.contains(wherry("/", "help", "restore").stdout, "--version V")
    assert all(len(line) <= 80 for line in overview.splitlines())


def test_mistakes_name_what_was_meant():
    for args, text in [(("rnu",), "no command 'rnu'. Did you mean 'run'?"),
                       (("frobnicate",), "no command 'frobnicate'. See: wherry help"),
                       (("help", "qarantine"), "Did you mean 'quarantine'?"),
                       (("run", "--ful"), "run has no flag '--ful'. Did you mean '--full'?"),
                       (("run", "--limit"), "--limit needs a value: --limit N"),
                       (("run", "--full=yes"), "--full takes no value"),
                       (("discover",), "usage: wherry discover CONNECTION"),
                       (("check", "this"), "usage: wherry check"),
                       (("completion", "tcsh"), "completion knows bash, zsh and fish"),
                       (("secret", "show", "x"), "secret takes set, list or remove"),
                       (("ledger", "burn"), "ledger takes rebuild"),
                       (("init", "order-stauts"), "no template 'order-stauts'. Did you mean 'order-status'?"),
                       (("init", "xyzzy"), "There are: order-status, employees, empty"),
                       (("init", "-c", "x"), "-c and --env have no meaning"),
                       (("--jsn", "run"), "no flag '--jsn'")]:
        done = wherry("/", *args, code=2)
        tap.equal(done.stdout, "")
        tap.contains(done.stderr, text)


def test_mistakes_are_json_where_json_was_asked_for():
    for args in (("rnu",), ("run", "--ful"), ("discover",), ("plan",), ("secret", "list")):
        done = wherry("/usr", *args, "--json", code=2)
        tap.equal(done.stderr, "")
        tap.equal(json_lines(done.stdout)[0]["status"], "usage")


def test_every_command_speaks_json():
    p = Keyed()
    folder = p.folder

    def ask(*args, code=0, **keywords):
        done = p.wherry(*args, "--json", code=code, **keywords)
        tap.equal(done.stderr, "", args)
        return json_lines(done.stdout)

    tap.equal(ask("--version")[0].keys(), {"version"})
    tap.equal(ask("discover", "erp")[0]["table"], "sales_order")
    assert all("error" not in line for line in ask("check", "--connect"))
    assert [line["pipeline"] for line in ask("plan")] == ["export-orders", "import-orders"]
    runs = ask("run")
    tap.equal([r["status"] for r in runs], ["done", "done"])
    tap.equal([line["pipeline"] for line in ask("status")], ["export-orders", "import-orders"])
    tap.equal(len(ask("runs")), 2)
    tap.equal(ask("receipt", runs[0]["run"])[0]["run"], runs[0]["run"])
    assert all(line["ok"] for line in ask("verify"))
    key = next((folder / "lake/inbound").glob("*.json")).name
    tap.equal(ask("versions", f"lake:inbound/{key}")[0]["latest"], True)
    tap.equal(ask("secret", "set", "other", input="x"), [{"secret": "other", "set": True}])
    tap.equal(ask("secret", "list"), [{"secret": "other"}, {"secret": "proof-key"}])
    tap.equal(ask("secret", "remove", "other"), [{"secret": "other", "removed": True}])
    tap.equal(ask("ledger", "rebuild")[0].keys(), {"runs", "cursors", "loads", "quarantines"})
    tap.equal(ask("schema")[0]["title"], "wherry.yaml")
    tap.equal(ask("completion", "bash")[0].keys(), {"script"})
    tap.equal(ask("man")[0].keys(), {"man"})
    tap.equal(ask("add", "erp:sales_order", "lake")[0]["pipeline"], "sales-order-to-lake")
    tap.equal(json_lines(wherry(folder, "init", "empty", "new", "--json").stdout)[0]["folder"], "new")


def test_exit_statuses():
    p = Project()
    p.make_erp([order("A")])
    p.wherry("run", code=0)
    p.add_orders([order("B", status="Lost")])
    p.wherry("run", code=3)
    p.sql("erp", "DROP TABLE sales_order")
    p.wherry("run", code=1)
    p.wherry("run", "no-such", code=2)
    p.config("version: 1\npiplines: {}\n")
    tap.contains(p.wherry("run", code=2).err, "Did you mean 'pipelines'?")
    p.wherry("schema", code=0)
    wherry(tap.folder(), "run", code=2)


def test_run_says_what_is_worth_doing_next():
    p = Project()
    p.make_erp([order("A", status="Lost")])
    tap.contains(p.wherry("run", code=3).err, "1 row needs you.\nNext: wherry quarantine show import-orders\n")
    p.config((p.folder / "wherry.yaml").read_text().replace(
        "    to: lake:", "    expect: { Total: { range: [0, 100] } }\n    to: lake:"))
    p.add_orders([order("B", status="Lost", at="2026-11-20 09:00:00Z"), order("C", total="1000", at="2026-11-20 09:00:00Z")])
    tap.contains(p.wherry("run", code=3).err, "Next: wherry quarantine list\n")
    p.sql("erp", "DROP TABLE sales_order")
    tap.contains(p.wherry("run", code=1).err, "Next: wherry status\n")
    tap.contains(p.wherry("run", "xyzzy", code=2).err, "no pipeline 'xyzzy'. See them: wherry status")


def test_objects_that_were_given_up_are_listed_and_dropped():
    p = Project()
    path = p.folder / "lake/inbound/half.json"
    path.parent.mkdir(parents=True)
    path.write_text('[{"OrderNumber":"A"')
    os.utime(path, (1, 1))
    p.wherry("run", "import-orders", code=1)
    tap.contains(p.wherry("quarantine", "list").out, "inbound/half.json: half.json: ")
    tap.equal(p.wherry("quarantine", "list", "--json").lines()[0]["dead"], "inbound/half.json")
    path.unlink()
    p.wherry("status", code=1)
    tap.contains(p.wherry("quarantine", "drop", "import-orders").err, "Dropped 0 rows and 1 object of import-orders")
    tap.equal(p.wherry("quarantine", "list").out, "")
    tap.equal(p.wherry("status", "--json", code=1).lines()[1]["dead"], 0)


def test_the_lock_says_whose_columns_it_cannot_know_yet():
    p = Project()
    p.make_erp([order("A")])
    tap.contains(p.wherry("plan", "--lock").err, "Wrote wherry.lock: 8 columns cross. Keep it under version control.\nNothing was moved.")
    p.config((p.folder / "wherry.yaml").read_text().replace("lake:inbound/**/*.json", "lake:partner/*.json"))
    tap.contains(p.wherry("plan", "--lock").err, "Wrote wherry.lock: 4 columns cross. Keep it under version control.\nNot in it: import-orders, ")


# --- completion, man, reference ------------------------------------------------------------------

def need(program):
    if not shutil.which(program):
        raise tap.Skip(f"{program} is not here")


def test_completion_scripts_are_scripts():
    checked = 0
    for shell in ("bash", "zsh", "fish"):
        script = tap.folder() / f"wherry.{shell}"
        script.write_text(wherry("/", "completion", shell).stdout)
        if shutil.which(shell):
            subprocess.run([shell, "-n", script], check=True)
            checked += 1
    assert checked > 0


def offered(shell, folder, line):
    """What the shell offers behind the line."""
    script = folder / f"completion.{shell}"
    script.write_text(wherry(folder, "completion", shell).stdout)
    env = dict(environment(folder), PATH=f"{tap.WHERRY.parent}:{os.environ['PATH']}")
    if shell == "bash":
        program = (f'source {script}; COMP_LINE="$1" COMP_POINT=${{#1}}; read -ra COMP_WORDS <<<"$1"; '
                   '_wherry; printf "%s\\n" "${COMPREPLY[@]}"')
        command = ["bash", "-c", program, "bash", line]
    else:
        command = ["fish", "-c", f'source {script}; complete -C "$argv[1]" | string split -f1 \\t', line]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60)
    return sorted(done.stdout.split())


def check_offers(shell):
    need(shell)
    folder = Keyed().folder
    (folder / "other.yaml").write_text(KEYED.replace("export-orders", "only-here"))
    for line, words in [("wherry ru", ["run", "runs"]),
                        ("wherry run ", ["export-orders", "import-orders"]),
                        ("wherry run --json ex", ["export-orders"]),
                        ("wherry run --limit 3 ex", ["export-orders"]),
                        ("wherry -c other.yaml run on", ["only-here"] if shell == "bash" else None),
                        ("wherry discover ", ["erp", "lake", "website"]),
                        ("wherry add erp:sales_order l", ["lake:"]),
                        ("wherry quarantine ", ["drop", "list", "replay", "show"]),
                        ("wherry quarantine show i", ["import-orders"]),
                        ("wherry secret remove ", ["proof-key"]),
                        ("wherry init ", ["employees", "empty", "order-status"]),
                        ("wherry run --fu", ["--full"])]:
        if words is not None:
            tap.equal(offered(shell, folder, line), words, line)
    assert not (folder / ".wherry/ledger.db").exists(), "completion made a ledger"


def test_bash_completes_commands_flags_and_names():
    check_offers("bash")


def test_fish_completes_commands_flags_and_names():
    check_offers("fish")


def test_completion_is_silent_where_there_is_no_project():
    done = wherry(tap.folder(), "completion", "words", "pipeline")
    tap.equal(done.stdout + done.stderr, "")


def test_the_man_page_renders():
    page = wherry("/", "man").stdout
    if shutil.which("mandoc"):
        lint = subprocess.run(["mandoc", "-T", "lint", "-W", "error"], input=page, capture_output=True, text=True)
        tap.equal(lint.stdout, "")
        text = subprocess.run(["mandoc", "-T", "ascii"], input=page, capture_output=True, text=True).stdout
    elif shutil.which("man"):
        file = tap.folder() / "wherry.1"
        file.write_text(page)
        text = subprocess.run(["man", "-l", file], capture_output=True, text=True, env=dict(os.environ, TERM="dumb")).stdout
    else:
        raise tap.Skip("neither mandoc nor man is here")
    text = re.sub(".\b", "", text)
    for part in ("wherry quarantine", "--connect", "EXIT STATUS", "WHERRY_KEY_FILE", "rows were quarantined"):
        tap.contains(text, part)


def test_the_reference_pages_are_current():
    made = tap.folder() / "reference"
    wherry("/", "docs", made)
    kept = tap.ROOT / "docs/reference"
    tap.equal(sorted(f.name for f in kept.iterdir()), sorted(f.name for f in made.iterdir()))
    for page in made.iterdir():
        assert page.read_text() == (kept / page.name).read_text(), f"{page.name} is old. Run: make docs"


# --- init ----------------------------------------------------------------------------------------

def test_init_makes_a_folder_and_refuses_one_that_is_in_use():
    folder = tap.folder()
    done = wherry(folder, "init", "empty", "shop/")
    tap.contains(done.stderr, "Created shop/")
    tap.contains(done.stderr, "Next: cd shop && wherry plan")
    wherry(folder / "shop", "check")
    tap.equal(sorted(f.name for f in (folder / "shop").iterdir()), [".gitignore", "wherry.yaml"])
    (folder / "shop/wherry.yaml").write_text("mine")
    tap.contains(wherry(folder, "init", "empty", "shop", code=2).stderr, "shop is not empty")
    tap.equal((folder / "shop/wherry.yaml").read_text(), "mine")
    (folder / "repository/.git").mkdir(parents=True)
    wherry(folder / "repository", "init", "empty", ".")
    (folder / "file").write_text("")
    wherry(folder, "init", "empty", "file", code=1)


# --- add -----------------------------------------------------------------------------------------

def added(before, after):
    """The lines that are new; everything else is as it was and where it was."""
    old, new = before.splitlines(), after.splitlines()
    start = next(i for i in range(len(new)) if i >= len(old) or new[i] != old[i])
    count = len(new) - len(old)
    tap.equal(new[:start] + new[start + count:], old, "the rest of the file")
    return new[start:start + count]


def test_add_appends_a_pipeline_and_keeps_everything_else():
    p = Keyed()
    p.p.sql("erp", "CREATE TABLE customer(id INTEGER PRIMARY KEY, email TEXT, city TEXT, \"credit limit\" DECIMAL(9,2), "
                   "yes TEXT, updated_at TIMESTAMP)")
    p.p.sql("erp", "INSERT INTO customer VALUES (1, 'a@b.c', 'Ulm', 1.5, 'x', '2026-11-20 08:00:00Z')")
    before = p.config()
    done = p.wherry("add", "erp:customer", "lake")
    tap.contains(done.stderr, "Added customer-to-lake")
    tap.contains(done.stderr, "1 column looks personal")
    lines = added(before, p.config())
    text = "\n".join(lines)
    for part in ("  customer-to-lake:", "    from: erp:customer", "read: { cursor: updated_at }",
                 "      # email: email", "looks personal", "int64, key", "credit limit: credit limit",
                 '"yes": "yes"', "to: lake:inbound/erp/customer/{year}/{month}/{day}/customer-{run}.json"):
        tap.contains(text, part)
    assert p.config().rstrip().endswith("memory: 64MiB")
    p.wherry("check")
    p.wherry("run", "customer-to-lake")
    row = json.loads(next((p.folder / "lake/inbound/erp/customer").rglob("*.json")).read_text())[0]
    tap.equal(sorted(row), ["city", "credit limit", "id", "updated_at", "yes"])
    again = p.wherry("add", "erp:customer", "lake", code=2)
    tap.contains(again.stderr, "there is a pipeline 'customer-to-lake' already")
    p.wherry("add", "erp:customer", "website:people", "--name", "people")
    tap.contains(p.config(), "write: { mode: upsert, key: id, newest_by: updated_at }")
    p.wherry("check")
    tap.equal([f.name for f in p.folder.iterdir() if "tmp" in f.name], [])


def test_add_lists_the_columns_of_objects():
    p = Keyed(KEYED.replace("inbound/*.json", "elsewhere/*.json"))
    p.wherry("run", "export-orders")
    before = p.config()
    p.wherry("add", "lake:inbound/orders-*.json", "website:orders")
    text = "\n".join(added(before, p.config()))
    for part in ("  orders-to-website:", "when: new", "OrderNumber: OrderNumber", "UpdatedAt: UpdatedAt",
                 "write: { mode: append }"):
        tap.contains(text, part)
    p.wherry("add", "lake:nothing-yet/*.json", "website:later")
    tap.contains(p.config(), "columns: all   # nothing is there yet")
    p.wherry("check")


def test_add_finds_its_place_in_files_of_all_kinds():
    connections = "version: 1\nconnections:\n  erp: { type: sqlite, path: erp.db }\n  lake: { type: local, path: lake }\n"
    pipeline = "pipelines:\n    a:\n        from: erp:t\n        columns: all\n        to: lake:a-{run}.json"
    for text, indent in [(connections, "  "), (connections.rstrip("\n"), "  "),
                         (connections + "pipelines:\n# end", "  "), (connections + "pipelines:\n", "  "),
                         (connections + pipeline, "    "), (connections + pipeline + "\n\n\n# the end\n...\n", "    "),
                         (pipeline + "\n\n# below\n" + connections, "    ")]:
        p = Project(config=text)
        p.sql("erp", "CREATE TABLE t(id INTEGER PRIMARY KEY, x TEXT)")
        wherry(p.folder, "add", "erp:t", "lake")
        tap.contains((p.folder / "wherry.yaml").read_text(), f"\n{indent}t-to-lake:\n")
        names = [c["pipeline"] for c in json_lines(wherry(p.folder, "plan", "--json").stdout)]
        tap.equal(names, (["a"] if "a:" in text.split() else []) + ["t-to-lake"], text)


def test_add_changes_nothing_where_it_cannot_be_right():
    flow = ("version: 1\nconnections: { erp: { type: sqlite, path: erp.db }, lake: { type: local, path: lake } }\n"
            "pipelines: { a: { from: erp:t, columns: all, to: 'lake:a-{run}.json' } }\n")
    p = Project(config=flow)
    p.sql("erp", "CREATE TABLE t(id INTEGER PRIMARY KEY, x TEXT)")
    p.sql("erp", "CREATE TABLE contact(email TEXT, phone TEXT)")
    for args, code, text in [(("erp:t", "lake"), 2, "wherry.yaml:3:1: `pipelines` is not written as an indented block"),
                             (("erp:nothing", "lake"), 1, "nothing"),
                             (("erp:contact", "lake"), 1, "every column of erp:contact looks personal"),
                             (("erp", "lake"), 2, "say what of erp: erp:TABLE"),
                             (("er:t", "lake"), 2, "no connection 'er'. Did you mean 'erp'?"),
                             ((":t", "lake"), 2, "write connection:thing"),
                             (("erp:t", "lake", "--name", "a"), 2, "there is a pipeline 'a' already"),
                             (("erp:t", "lake", "--name", "a b"), 2, "")]:
        tap.contains(wherry(p.folder, "add", *args, code=code).stderr, text)
        tap.equal((p.folder / "wherry.yaml").read_text(), flow)
    block = flow.replace("pipelines: { a: { from: erp:t, columns: all, to: 'lake:a-{run}.json' } }\n", "")
    p.config(block)
    for args, text in [(("erp:t", "lake:no-run.json"), "{run}"), (("erp:t", "lake", "--name", "a b"), "cannot be the name")]:
        done = wherry(p.folder, "add", *args, code=2)
        tap.contains(done.stderr, "nothing was added")
        tap.contains(done.stderr, text)
        tap.equal((p.folder / "wherry.yaml").read_text(), block)
    tap.equal([f.name for f in p.folder.iterdir() if "tmp" in f.name], [])


# --- secrets -------------------------------------------------------------------------------------

def test_a_secret_is_never_seen_again():
    p = Keyed()
    seen = ""
    commands = [("check", "--connect"), ("plan",), ("plan", "--json"), ("plan", "--lock"), ("run", "--verbose"),
                ("run", "--json", "--full"), ("status", "--json"), ("runs", "--json"), ("verify", "--verbose"),
                ("secret", "list"), ("secret", "list", "--json"), ("discover", "lake"), ("quarantine", "list"),
                ("ledger", "rebuild"), ("completion", "words", "secret"), ("add", "erp:sales_order", "lake")]
    for args in commands:
        done = p.wherry(*args, code=None)
        seen += done.stdout + done.stderr
    # and where it would be shown: a path that is named in messages
    (p.folder / "wherry.yaml").write_text(KEYED.replace("path: erp.db", 'path: "no-folder/${secret:proof-key}/erp.db"'))
    for args in [("check", "--connect"), ("discover", "erp"), ("plan",), ("run", "--verbose"), ("status", "--json")]:
        done = p.wherry(*args, code=2)
        tap.contains(done.stdout + done.stderr, "path is shown in messages, so no secret can stand in it")
        seen += done.stdout + done.stderr
    assert SENTINEL not in seen, "it is in what was printed: " + next(l for l in seen.splitlines() if SENTINEL in l)
    for file in p.folder.rglob("*"):
        assert not file.is_file() or SENTINEL.encode() not in file.read_bytes(), f"it is in {file}"


def test_the_keyring_is_for_its_owner_only():
    p = Keyed()
    for file in (p.folder / "key", p.folder / ".wherry/keyring"):
        tap.equal(oct(file.stat().st_mode & 0o777), "0o600", str(file))
    tap.equal(p.wherry("secret", "list").stdout, "proof-key\n")
    p.wherry("secret", "set", "empty", input="\n", code=2)
    tap.contains(p.wherry("secret", "remove", "prof-key", code=1).stderr, "no secret 'prof-key'")
    tap.contains(p.wherry("secret", "set", "a b", input="x", code=2).stderr, "name of a secret")
    tap.contains(p.wherry("secret", "set", "long", input="x" * 70000, code=1).stderr, "longer than the 65536 bytes")
    p.wherry("secret", "remove", "proof-key")
    done = p.wherry("run", code=1)
    tap.contains(done.stderr, "wherry secret set proof-key")


def test_secrets_can_be_set_while_the_configuration_is_wrong():
    p = Keyed()
    (p.folder / "wherry.yaml").write_text(KEYED + "unknown: word\n")
    p.wherry("secret", "set", "other", input="x")
    tap.equal(p.wherry("secret", "list").stdout.split(), ["other", "proof-key"])


# --- versions ------------------------------------------------------------------------------------

def test_an_earlier_version_comes_back():
    p = Keyed()
    lake = p.folder / "lake"
    p.wherry("run")
    first = next((lake / "inbound").glob("*.json"))
    address = f"lake:inbound/{first.name}"
    tap.contains(p.wherry("restore", address, code=1).stderr, "has no earlier version")
    tap.contains(p.wherry("versions", "lake:inbound/none.json", code=1).stderr, "none.json")
    tap.contains(p.wherry("versions", "erp:sales_order", code=2).stderr, "only objects have versions")
    tap.contains(p.wherry("versions", "lake", code=2).stderr, "name an object")
    tap.contains(p.wherry("restore", address, "--version", "nope", code=1).stderr, "nope")
    tap.contains(p.wherry("versions", address).stdout, "now")


# --- up ------------------------------------------------------------------------------------------

SERVE = """\
serve:
  listen: 127.0.0.1:0
  lookups:
    order-status: { from: website:orders, by: OrderNumber, proof: { OrderStatus: proof }, show: [UpdatedAt] }
"""


def start_up(folder, *args):
    return subprocess.Popen([str(tap.WHERRY), "up", *args], cwd=folder, env=environment(folder),
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_up_serves_loads_and_stops():
    p = Keyed(KEYED + SERVE)
    process = start_up(p.folder, "--json")
    try:
        page = json.loads(process.stdout.readline())
        tap.equal(page["lookup"], "order-status")
        assert json.loads(process.stdout.readline())["docs"].endswith("/docs")
        # `run` goes on with what it makes due, and may be faster than the service.
        runs = [json.loads(line) for line in p.wherry("run", "export-orders", "--json").stdout.splitlines()]
        run = runs[1] if len(runs) > 1 else json.loads(process.stdout.readline())
        tap.equal((run["pipeline"], run["rows_written"]), ("import-orders", 3))
        body = urllib.parse.urlencode({"OrderNumber": "A", "OrderStatus": "Open"}).encode()
        request = urllib.request.Request(page["url"], data=body, headers={"Accept": "application/json"})
        tap.equal(json.load(urllib.request.urlopen(request, timeout=10))["found"], True)
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    tap.equal(process.returncode, 0, err)
    for line in (out + err).splitlines():
        json.loads(line)


def test_up_tells_what_keeps_it_from_starting():
    p = Keyed(KEYED + SERVE)
    tap.contains(p.wherry("up", "exprt-orders", code=2).stderr, "Did you mean 'export-orders'?")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        (p.folder / "wherry.yaml").write_text((KEYED + SERVE).replace("127.0.0.1:0", f"127.0.0.1:{port}"))
        tap.contains(p.wherry("up", code=1).stderr, str(port))


tap.run()
