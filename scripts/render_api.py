"""docs/openapi.yaml as one page of HTML that needs nothing else: no script, no font, no server."""

import html
import json
import re

methods = ("get", "post", "put", "patch", "delete")

style = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --accent: #0a7a4b; }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.25; } h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); }
h3 { margin-top: 2.2rem; font-size: 1.05rem; } h3 code { font-size: 1rem; }
code, pre { font-family: ui-monospace, monospace; font-size: .9em; }
code { background: var(--soft); padding: .1em .25em; }
pre { background: var(--soft); padding: .7rem; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin: .6rem 0; font-size: .93em; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; } td:first-child { white-space: nowrap; }
.method { color: var(--accent); font-weight: 700; } .quiet { opacity: .75; }
nav ul { columns: 2; padding-left: 1.2rem; }
"""


def prose(text):
    """The few marks of Markdown that the document uses."""
    text = html.escape(text.strip(), quote=False)
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", text)


def paragraphs(text):
    return "".join(f"<p>{prose(part)}</p>\n" for part in text.strip().split("\n\n")) if text else ""


class Page:
    def __init__(self, document):
        self.document = document
        self.parts = []

    def add(self, text):
        self.parts.append(text + "\n")

    def resolve(self, node):
        while isinstance(node, dict) and "$ref" in node:
            end = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                end = end[part]
            node = end
        return node

    def kind(self, schema):
        """A schema in a few words."""
        if "$ref" in schema:
            name = schema["$ref"].rsplit("/", 1)[1]
            own = self.resolve(schema)
            return self.kind(own) if "enum" in own and len(own["enum"]) < 8 or own.get("type") == "string" else (
                f'<a href="#schema-{name}">{name}</a>')
        if "enum" in schema:
            return " · ".join(f"<code>{html.escape(str(value))}</code>" for value in schema["enum"])
        if "const" in schema:
            return f"<code>{html.escape(str(schema['const']))}</code>"
        wanted = schema.get("type", "")
        wanted = " or ".join(wanted) if isinstance(wanted, list) else wanted
        if wanted == "array":
            most = f", at most {schema['maxItems']}" if "maxItems" in schema else ""
            return f"array of {self.kind(schema['items'])}{most}"
        return wanted + (f" <code>{html.escape(schema['pattern'])}</code>" if "pattern" in schema else "")

    def members(self, schema, title):
        schema = self.resolve(schema)
        rows = []
        for name, member in schema.get("properties", {}).items():
            needed = "" if name in schema.get("required", []) else ' <span class="quiet">optional</span>'
            told = self.resolve(member).get("description", "")
            rows.append(f"<tr><td><code>{name}</code>{needed}</td><td>{self.kind(member)}</td>"
                        f"<td>{prose(told)}</td></tr>")
            inner = member if "$ref" not in member else {}
            for inner_name, inner_member in inner.get("properties", {}).items():
                rows.append(f"<tr><td><code>{name}.{inner_name}</code></td><td>{self.kind(inner_member)}</td>"
                            f"<td>{prose(self.resolve(inner_member).get('description', ''))}</td></tr>")
        if rows:
            self.add(f"<table><tr><th>{title}</th><th></th><th></th></tr>{''.join(rows)}</table>")

    def parameters(self, parameters):
        rows = []
        for parameter in map(self.resolve, parameters):
            told = parameter.get("description") or self.resolve(parameter["schema"]).get("description", "")
            rows.append(f"<tr><td><code>{parameter['name']}</code> <span class=\"quiet\">{parameter['in']}</span></td>"
                        f"<td>{self.kind(parameter['schema'])}</td><td>{prose(told)}</td></tr>")
        if rows:
            self.add(f"<table><tr><th>Parameters</th><th></th><th></th></tr>{''.join(rows)}</table>")

    def security(self, operation):
        ways = [" and ".join(f"<code>{name}</code>" for name in way) or "nobody in particular (level none)"
                for way in operation["security"]]
        self.add(f"<p class=\"quiet\">Callers: {', '.join(ways) if ways else 'anyone'}</p>")

    def body(self, operation):
        content = operation.get("requestBody", {}).get("content", {})
        for media_type, described in content.items():
            if self.resolve(described["schema"]).get("properties"):
                self.members(described["schema"], f"Body <code>{media_type}</code>")
            for example in described.get("examples", {}).values():
                self.add(f"<pre>{html.escape(json.dumps(example['value'], ensure_ascii=False))}</pre>")

    def answers(self, operation):
        rows = []
        for status, answer in operation["responses"].items():
            described = self.resolve(answer)
            kinds = []
            for media_type, content in described.get("content", {}).items():
                schema = content["schema"]
                name = schema.get("$ref", "").rsplit("/", 1)[-1]
                kinds.append(f'<a href="#schema-{name}">{name}</a>' if name else f"<code>{media_type}</code>")
            rows.append(f"<tr><td>{status}</td><td>{', '.join(kinds)}</td>"
                        f"<td>{prose(described['description'])}</td></tr>")
        self.add(f"<table><tr><th>Answers</th><th></th><th></th></tr>{''.join(rows)}</table>")
        for answer in operation["responses"].values():
            for content in self.resolve(answer).get("content", {}).values():
                if "$ref" not in content["schema"] and content["schema"].get("properties"):
                    self.members(content["schema"], "with")

    def operations(self):
        for path, item in self.document["paths"].items():
            for method in methods:
                if method in item:
                    yield path, method, item[method], item.get("parameters", [])

    def operation(self, path, method, operation, shared):
        self.add(f'<h3 id="{operation["operationId"]}"><code><span class="method">{method.upper()}</span> '
                 f'{html.escape(path)}</code> – {prose(operation["summary"])}</h3>')
        self.add(paragraphs(operation.get("description", "")))
        self.security(operation)
        self.parameters([*shared, *operation.get("parameters", [])])
        self.body(operation)
        self.answers(operation)

    def render(self):
        info = self.document["info"]
        self.add(f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
                 f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
                 f'<title>{info["title"]} API</title>\n'
                 f"<style>{style}</style>")
        self.add(f"<h1>{info['title']} API <span class=\"quiet\">{info['version']}</span></h1>")
        self.add('<p class="quiet">Made from <a href="openapi.yaml">openapi.yaml</a> by '
                 '<code>scripts/docs render</code>.</p>')
        self.add(paragraphs(info["description"]))
        links = "".join(f'<li><a href="#{operation["operationId"]}"><code>{method.upper()} {html.escape(path)}</code>'
                        '</a></li>'
                        for path, method, operation, _ in self.operations())
        self.add(f"<nav><ul>{links}</ul></nav>")
        for tag in self.document["tags"]:
            self.add(f"<h2>{html.escape(tag['name'])}</h2>")
            self.add(paragraphs(tag["description"]))
            for path, method, operation, shared in self.operations():
                if operation["tags"][0] == tag["name"]:
                    self.operation(path, method, operation, shared)
        components = self.document["components"]
        self.add("<h2>Callers</h2>")
        for name, scheme in components["securitySchemes"].items():
            self.add(f"<h3><code>{name}</code></h3>{paragraphs(scheme['description'])}")
        self.add("<h2>Header fields of answers</h2>")
        rows = "".join(f"<tr><td><code>{name}</code></td><td>{prose(header['description'])}</td></tr>"
                       for name, header in components["headers"].items())
        self.add(f"<table>{rows}</table>")
        self.add("<h2>Schemas</h2>")
        for name, schema in components["schemas"].items():
            if schema.get("properties"):
                self.add(f'<h3 id="schema-{name}"><code>{name}</code></h3>')
                self.members(schema, "Member")
            elif len(schema.get("enum", [])) >= 8:
                self.add(f'<h3 id="schema-{name}"><code>{name}</code></h3><p>{self.kind(schema)}</p>')
        self.add("</html>")
        return "".join(self.parts)


def render(document):
    return Page(document).render()
