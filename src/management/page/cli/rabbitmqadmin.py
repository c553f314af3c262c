#!/usr/bin/env python3
"""rabbitmqadmin: works with the HTTP API of leveret or RabbitMQ from the command line.

It takes the commands and options of RabbitMQ's program of this name (version 1) and needs nothing
but Python 3.7. `rabbitmqadmin help subcommands` lists what it can do.
"""
import argparse
import base64
import configparser
import http.client
import json
import os
import socket
import ssl
import sys
from urllib.parse import quote, urlencode, urlsplit

# What can be declared: names that have to be given, and others with what they are by default.
DECLARE = {
    "exchange": (["name", "type"],
                 {"auto_delete": "false", "durable": "true", "internal": "false", "arguments": {}}),
    "queue": (["name"], {"auto_delete": "false", "durable": "true", "arguments": {}, "node": None,
                         "queue_type": None}),
    "binding": (["source", "destination"],
                {"destination_type": "queue", "routing_key": "", "arguments": {}}),
    "vhost": (["name"], {"tracing": None, "description": None, "tags": None,
                         "default_queue_type": None}),
    "user": (["name", "tags"], {"password": None, "password_hash": None, "hashing_algorithm": None}),
    "permission": (["vhost", "user", "configure", "write", "read"], {}),
    "parameter": (["component", "name", "value"], {}),
    "policy": (["name", "pattern", "definition"], {"priority": 0, "apply-to": None}),
    "operator_policy": (["name", "pattern", "definition"], {"priority": 0, "apply-to": None}),
    "vhost_limit": (["name", "value"], {}),
}
# Where things are; names in braces come from what is given.
PLACES = {
    "exchange": "exchanges/{vhost}/{name}",
    "queue": "queues/{vhost}/{name}",
    "vhost": "vhosts/{name}",
    "user": "users/{name}",
    "permission": "permissions/{vhost}/{user}",
    "parameter": "parameters/{component}/{vhost}/{name}",
    "policy": "policies/{vhost}/{name}",
    "operator_policy": "operator-policies/{vhost}/{name}",
    "vhost_limit": "vhost-limits/{vhost}/{name}",
    "connection": "connections/{name}",
}
DELETE = dict({what: [] for what in PLACES}, binding=[])
# What can be listed, and the columns that are shown if none are named.
LISTS = {
    "users": ["name", "password_hash", "tags"],
    "vhosts": ["name", "messages"],
    "nodes": ["name", "type", "mem_used"],
    "connections": ["name", "user", "channels"],
    "channels": ["name", "user"],
    "consumers": ["channel_details.name", "queue.name", "consumer_tag"],
    "exchanges": ["name", "type"],
    "queues": ["name", "messages"],
    "bindings": ["source", "destination", "routing_key"],
    "permissions": ["vhost", "user", "configure", "write", "read"],
    "parameters": ["component", "vhost", "name", "value"],
    "policies": ["vhost", "name", "pattern", "definition", "priority", "apply-to"],
    "operator_policies": ["vhost", "name", "pattern", "definition", "priority", "apply-to"],
    "vhost_limits": ["vhost", "value"],
}
OF_VHOST = {"exchanges", "queues", "bindings", "parameters", "policies", "operator_policies",
            "vhost_limits", "permissions", "connections", "channels", "consumers"}
OVERVIEW = ["rabbitmq_version", "cluster_name", "queue_totals.messages", "object_totals.queues"]
JSON_VALUES = {"arguments", "definition", "value", "properties"}
NUMBERS = {"priority"}

HELP = """Usage: rabbitmqadmin [options] subcommand

  list NAME [column...]      of: {lists}
  show overview [column...]
  declare WHAT name=value... of: {declare}
  delete WHAT name=value...  of: {delete}
  close connection name=...
  purge queue name=...
  publish routing_key=... [exchange=amq.default payload=... properties={{}} payload_encoding=string]
  get queue=... [count=1 ackmode=ack_requeue_true payload_file=... encoding=auto]
  export FILE                definitions, of all virtual hosts or of the one that -V names
  import FILE                the same

What has to be given: {mandatory}
"""


def die(text):
    sys.stderr.write("*** %s\n" % text)
    sys.exit(1)


def options():
    parser = argparse.ArgumentParser(prog="rabbitmqadmin", usage="rabbitmqadmin [options] subcommand")
    add = parser.add_argument
    add("-c", "--config", help="configuration file; default: ~/.rabbitmqadmin.conf")
    add("-N", "--node", default="default", help="section of the configuration file")
    add("-H", "--host", help="default: localhost")
    add("-P", "--port", type=int, help="default: 15672, with -s 15671")
    add("--path-prefix", help="what comes before /api")
    add("-V", "--vhost", help="virtual host; default: all of them, or / for what needs one")
    add("-u", "--username", help="default: guest")
    add("-p", "--password", help="default: guest")
    add("-U", "--base-uri", help="in place of host, port and prefix")
    add("-q", "--quiet", action="store_true", help="say nothing of what was done")
    add("-s", "--ssl", action="store_true", default=None, help="over TLS")
    add("--ssl-key-file", help="key of a client's certificate")
    add("--ssl-cert-file", help="a client's certificate")
    add("--ssl-ca-cert-file", help="who is trusted")
    add("--ssl-disable-hostname-verification", action="store_true")
    add("-k", "--ssl-insecure", action="store_true", help="do not check the server's certificate")
    add("-t", "--request-timeout", type=int, default=120, help="seconds")
    add("-f", "--format", default="table",
        choices=["table", "long", "tsv", "kvp", "raw_json", "pretty_json", "bash"])
    add("-S", "--sort", help="column to sort by")
    add("-R", "--sort-reverse", action="store_true")
    add("-d", "--depth", type=int, default=1, help="ignored")
    add("--version", action="store_true", help="the version of the server")
    add("words", nargs="*")
    chosen = parser.parse_intermixed_args()
    from_file(chosen)
    if chosen.base_uri:
        place = urlsplit(chosen.base_uri)
        chosen.host, chosen.port, chosen.path_prefix = place.hostname, place.port, place.path
        chosen.ssl = place.scheme == "https"
    chosen.host = chosen.host or "localhost"
    chosen.port = chosen.port or (15671 if chosen.ssl else 15672)
    chosen.path_prefix = (chosen.path_prefix or "").rstrip("/")
    chosen.username, chosen.password = chosen.username or "guest", chosen.password or "guest"
    return chosen


def from_file(chosen):
    """What the configuration file says and the command line does not."""
    path = chosen.config or os.path.expanduser("~/.rabbitmqadmin.conf")
    known = configparser.RawConfigParser()
    if not known.read(path):
        if chosen.config:
            die("Could not read config file '%s'" % path)
        return
    if not known.has_section(chosen.node):
        if chosen.node != "default":
            die("Section '%s' not found in '%s'" % (chosen.node, path))
        return
    names = {"hostname": "host", "declare_vhost": None}
    for name, value in known.items(chosen.node):
        name = names.get(name, name)
        if name and hasattr(chosen, name) and getattr(chosen, name) is None:
            if name == "port":
                value = int(value)
            if name == "ssl":
                value = value.lower() in ("true", "yes", "1", "on")
            setattr(chosen, name, value)


class Api:
    def __init__(self, chosen):
        self.chosen = chosen

    def connection(self):
        it = self.chosen
        if not it.ssl:
            return http.client.HTTPConnection(it.host, it.port, timeout=it.request_timeout)
        context = ssl.create_default_context(cafile=it.ssl_ca_cert_file)
        if it.ssl_insecure or it.ssl_disable_hostname_verification:
            context.check_hostname = False
        if it.ssl_insecure:
            context.verify_mode = ssl.CERT_NONE
        if it.ssl_cert_file:
            context.load_cert_chain(it.ssl_cert_file, it.ssl_key_file)
        return http.client.HTTPSConnection(
            it.host, it.port, timeout=it.request_timeout, context=context)

    def call(self, method, path, body=None):
        it = self.chosen
        login = base64.b64encode(("%s:%s" % (it.username, it.password)).encode()).decode()
        headers = {"Authorization": "Basic " + login, "Content-Type": "application/json"}
        path = "%s/api/%s" % (it.path_prefix, path)
        try:
            connection = self.connection()
            data = None if body is None else body if isinstance(body, bytes) else body.encode()
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        except (OSError, ssl.SSLError, http.client.HTTPException, socket.timeout) as error:
            die("Could not connect: %s" % error)
        if answer.status == 401:
            die("Access refused: %s" % path)
        if answer.status == 404:
            die("Not found: %s" % path)
        if answer.status >= 400:
            die("%s %s" % (answer.status, reason(text)))
        return text

    def get(self, path):
        return json.loads(self.call("GET", path))


def reason(text):
    try:
        told = json.loads(text)
        return told.get("reason") or told.get("error") or text
    except (ValueError, AttributeError):
        return text


def pairs(words):
    """name=value, as many as there are."""
    given = {}
    for word in words:
        if "=" not in word:
            die("Argument \"%s\" not in the name=value format" % word)
        name, value = word.split("=", 1)
        given[name] = value
    return given


def parsed(given):
    for name in given:
        if name in JSON_VALUES and isinstance(given[name], str):
            try:
                given[name] = json.loads(given[name])
            except ValueError as error:
                die("Could not parse JSON of %s: %s" % (name, error))
        elif name in NUMBERS:
            given[name] = int(given[name])
    return given


def checked(what, given, mandatory, known):
    for name in mandatory:
        if name not in given:
            die("mandatory argument \"%s\" required" % name)
    for name in given:
        if name not in known and name != "vhost":
            die("unknown argument \"%s\" of %s" % (name, what))


def place(pattern, given, chosen):
    names = dict(given)
    names.setdefault("vhost", chosen.vhost or "/")
    return pattern.format(**{name: quote(str(value), "") for name, value in names.items()})


def declare(api, what, words):
    if what not in DECLARE:
        die("cannot declare '%s'; known are: %s" % (what, ", ".join(sorted(DECLARE))))
    mandatory, others = DECLARE[what]
    given = pairs(words)
    checked(what, given, mandatory, set(mandatory) | set(others))
    if what == "user" and not ("password" in given or "password_hash" in given):
        die("mandatory argument \"password\" or \"password_hash\" required")
    body = {name: value for name, value in others.items() if value is not None}
    body.update(given)
    queue_type = body.pop("queue_type", None)
    body = parsed(body)
    if queue_type:
        body["arguments"] = dict(body["arguments"], **{"x-queue-type": queue_type})
    if what == "binding":
        binding = dict(body, end="q" if body["destination_type"] == "queue" else "e")
        path = place("bindings/{vhost}/e/{source}/{end}/{destination}", binding, api.chosen)
        body = {name: body[name] for name in ("routing_key", "arguments")}
        api.call("POST", path, json.dumps(body))
    else:
        body.setdefault("vhost", api.chosen.vhost or "/")
        api.call("PUT", place(PLACES[what], body, api.chosen), json.dumps(body))
    return "%s declared" % what


def delete(api, what, words, done="deleted", suffix=""):
    given = pairs(words)
    if what == "binding":
        needed = ["source", "destination_type", "destination"]
        checked(what, given, needed, needed + ["properties_key"])
        given.setdefault("properties_key", "~")
        given["end"] = given["destination_type"][:1]
        path = "bindings/{vhost}/e/{source}/{end}/{destination}/{properties_key}"
    elif what in PLACES:
        path = PLACES[what] + suffix
        needed = [name for name in ("component", "name", "user") if "{%s}" % name in path]
        checked(what, given, needed, needed)
    else:
        die("cannot delete '%s'; known are: %s" % (what, ", ".join(sorted(DELETE))))
    api.call("DELETE", place(path, given, api.chosen))
    return "%s %s" % (what, done)


def publish(api, words):
    given = {"exchange": "amq.default", "properties": {}, "payload_encoding": "string"}
    given.update(pairs(words))
    checked("publish", given, ["routing_key"],
            {"routing_key", "payload", "exchange", "properties", "payload_encoding"})
    if "payload" not in given:
        octets = sys.stdin.buffer.read()
        given["payload"] = (base64.b64encode(octets).decode()
                            if given["payload_encoding"] == "base64" else octets.decode())
    path = place("exchanges/{vhost}/{exchange}/publish", given, api.chosen)
    routed = json.loads(api.call("POST", path, json.dumps(parsed(given))))["routed"]
    return "Message published" if routed else "Message published but NOT routed"


def get(api, words):
    given = {"count": "1", "ackmode": "ack_requeue_true", "encoding": "auto"}
    given.update(pairs(words))
    checked("get", given, ["queue"],
            {"queue", "count", "ackmode", "requeue", "payload_file", "encoding", "truncate"})
    file = given.pop("payload_file", None)
    if given.pop("requeue", "true").lower() == "false":
        given["ackmode"] = "ack_requeue_false"
    if file and given["count"] != "1":
        die("Cannot save multiple messages to one file")
    path = place("queues/{vhost}/{queue}/get", given, api.chosen)
    messages = json.loads(api.call("POST", path, json.dumps(given)))
    if file:
        if not messages:
            die("Queue is empty")
        message = messages[0]
        is_text = message["payload_encoding"] == "string"
        with open(file, "wb") as out:
            out.write(message["payload"].encode() if is_text
                      else base64.b64decode(message["payload"]))
        return "Message payload written to \"%s\"" % file
    columns = ["routing_key", "exchange", "message_count", "payload", "payload_bytes",
               "payload_encoding", "redelivered"]
    show(api.chosen, messages, columns)
    return None


def list_all(api, what, columns):
    if what not in LISTS:
        die("cannot list '%s'; known are: %s" % (what, ", ".join(sorted(LISTS))))
    chosen, path = api.chosen, what.replace("_", "-")
    if chosen.vhost and what in OF_VHOST:
        vhost = quote(chosen.vhost, "")
        in_vhosts = what in ("connections", "channels", "permissions")
        path = "vhosts/%s/%s" % (vhost, path) if in_vhosts else "%s/%s" % (path, vhost)
    is_raw = chosen.format in ("raw_json", "pretty_json", "long", "kvp")
    columns = columns or ([] if is_raw else LISTS[what])
    asked = {}
    if columns:
        asked["columns"] = ",".join(columns)
    if chosen.sort:
        asked["sort"] = chosen.sort
    if chosen.sort_reverse:
        asked["sort_reverse"] = "true"
    show(chosen, api.get(path + ("?" + urlencode(asked) if asked else "")), columns)


def at(row, name):
    for part in name.split("."):
        row = row.get(part) if isinstance(row, dict) else None
    return row


def text(value):
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        return json.dumps(value)
    return str(value)


def flat(row, before=""):
    for name, value in sorted(row.items()):
        if isinstance(value, dict) and value:
            yield from flat(value, before + name + ".")
        else:
            yield before + name, value


def show(chosen, rows, columns):
    kind = chosen.format
    if kind == "raw_json":
        return print(json.dumps(rows))
    if kind == "pretty_json":
        return print(json.dumps(rows, indent=2, sort_keys=True))
    cells = [[(name, text(at(row, name))) for name in columns] if columns
             else [(name, text(value)) for name, value in flat(row)] for row in rows]
    if kind == "bash":
        return print(" ".join(row[0][1] for row in cells if row))
    if kind == "kvp":
        return [print(" ".join("%s=\"%s\"" % cell for cell in row)) for row in cells]
    if kind == "long":
        for row in cells:
            print("-" * 80)
            width = max(len(name) for name, _ in row)
            print("\n".join("%s: %s" % (name.rjust(width), value) for name, value in row))
        return print("-" * 80)
    table = [list(columns)] + [[value for _, value in row] for row in cells]
    if kind == "tsv":
        return [print("\t".join(row)) for row in table]
    if len(table) == 1:
        return print("No items")
    widths = [max(len(line) for row in table for line in row[at_].split("\n"))
              for at_ in range(len(columns))]
    rule = "+" + "+".join("-" * (width + 2) for width in widths) + "+"
    print(rule)
    for number, row in enumerate(table):
        align = str.center if number == 0 else str.ljust
        for line in zip_lines(row):
            print("|" + "|".join(" %s " % align(cell, width)
                                 for cell, width in zip(line, widths)) + "|")
        if number == 0:
            print(rule)
    return print(rule)


def zip_lines(row):
    lines = [cell.split("\n") for cell in row]
    for number in range(max(len(cell) for cell in lines)):
        yield [cell[number] if number < len(cell) else "" for cell in lines]


def definitions(api, command, words):
    if len(words) != 1:
        die("exactly one filename required")
    vhost = api.chosen.vhost
    path = "definitions/%s" % quote(vhost, "") if vhost else "definitions"
    of = "%s for vhost %s" % (api.chosen.host, vhost) if vhost else api.chosen.host
    if command == "export":
        told = api.call("GET", path)
        with open(words[0], "w") as file:
            file.write(told)
        return "Exported definitions for %s to \"%s\"" % (of, words[0])
    try:
        with open(words[0], "rb") as file:
            api.call("POST", path, file.read())
    except OSError as error:
        die("Could not read: %s" % error)
    return ("Uploaded definitions from \"%s\" to %s. The import process may take some time. "
            "Consult server logs to track progress." % (of, words[0]))


def main():
    chosen = options()
    api, words = Api(chosen), chosen.words
    if chosen.version:
        return print("rabbitmqadmin, server " + api.get("overview")["rabbitmq_version"])
    if not words or words[0] == "help":
        mandatory = "; ".join("%s %s" % (what, " ".join(names))
                              for what, (names, _) in sorted(DECLARE.items()))
        return print(HELP.format(lists=", ".join(sorted(LISTS)), declare=", ".join(sorted(DECLARE)),
                                 delete=", ".join(sorted(DELETE)), mandatory=mandatory))
    command, what, rest = words[0], words[1] if len(words) > 1 else "", words[2:]
    if command == "list":
        said = list_all(api, what, rest)
    elif command == "show":
        columns = rest or OVERVIEW
        said = show(chosen, [api.get("overview?columns=" + ",".join(columns))], columns)
    elif command == "declare":
        said = declare(api, what, rest)
    elif command == "delete":
        said = delete(api, what, rest)
    elif command == "close":
        said = delete(api, what, rest, "closed")
    elif command == "purge":
        said = delete(api, what, rest, "purged", "/contents")
    elif command == "publish":
        said = publish(api, words[1:])
    elif command == "get":
        said = get(api, words[1:])
    elif command in ("export", "import"):
        said = definitions(api, command, words[1:])
    else:
        die("'%s' is no subcommand; `rabbitmqadmin help subcommands` lists them" % command)
    if said and not chosen.quiet:
        print(said)


if __name__ == "__main__":
    main()
