"""What nginx/openapi.json says about answers, to hold real ones to it."""

import json
import re

import jsonschema
import referencing
import referencing.jsonschema

from stack import REPOSITORY

FILE = REPOSITORY / "nginx" / "openapi.json"
URN = "urn:presales"
# An error for a person: words, to a full stop.
SENTENCE = re.compile(r"^[A-Za-z0-9“].* .*[.!?]$", re.DOTALL)


class Broken(AssertionError):
    """An answer that is not as described."""


class Contract:
    """The description, and which of its answers have been seen."""

    def __init__(self):
        self.description = json.loads(FILE.read_text())
        resource = referencing.Resource(self.description, referencing.jsonschema.DRAFT202012)
        self.registry = referencing.Registry().with_resource(URN, resource)
        self.operations = {
            (method.upper(), path): operation
            for path, operations in self.description["paths"].items()
            for method, operation in operations.items()
        }
        self.seen = set()

    def find(self, path):
        """The described path of an address; one that is written out goes before one with parameters."""
        path = path.split("?")[0]
        for template in sorted({template for _, template in self.operations}, key=lambda text: text.count("{")):
            if re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)), path):
                return template
        return None

    def methods(self, template):
        return {method for method, path in self.operations if path == template}

    def check(self, method, path, answer):
        """Raises Broken when the answer to the request is not one that is described."""
        template = self.find(path)
        if template is None:
            raise Broken(f"{path} is not described")
        described = "GET" if method == "HEAD" else method
        if described not in self.methods(template):
            return self.check_other_method(template, answer, method != "HEAD")
        operation = self.operations[described, template]
        name = f"{operation['operationId']} {answer.status}"
        pointer = f"#/paths/{escaped(template)}/{described.lower()}/responses/{answer.status}"
        if str(answer.status) not in operation["responses"]:
            raise Broken(f"{name} is not described: {answer}")
        self.check_response(name, pointer, answer, has_body=method != "HEAD")
        self.seen.add((operation["operationId"], answer.status))

    def check_other_method(self, template, answer, has_body):
        if answer.status != 405:
            raise Broken(f"{template} takes a method that is not described: {answer}")
        self.check_response(f"{template} 405", "#/components/responses/E405", answer, has_body)
        methods = self.methods(template)
        expected = methods | ({"HEAD"} if "GET" in methods else set())
        if set(answer.headers["allow"].split(", ")) != expected:
            raise Broken(f"{template} allows {answer.headers['allow']} and not {expected}")

    def check_response(self, name, pointer, answer, has_body=True):
        response = self.resolved(pointer)
        if "$ref" in response:
            pointer = response["$ref"]
            response = self.resolved(pointer)
        for header, rule in response.get("headers", {}).items():
            value = answer.headers.get(header.lower())
            if value is not None:
                self.validate(f"{name}, header {header}", rule["schema"], value)
            elif rule.get("required"):
                raise Broken(f"{name} lacks the header {header}")
        content = response.get("content")
        if not content:
            if answer.body:
                raise Broken(f"{name} has a body: {answer}")
            return
        kind = answer.headers.get("content-type", "").split(";")[0]
        if kind not in content:
            raise Broken(f"{name} is {kind} and not {list(content)}: {answer}")
        if not has_body:
            if answer.body:
                raise Broken(f"{name} has a body after HEAD")
            return
        body = json.loads(answer.body, object_pairs_hook=once) if kind == "application/json" else answer.body.decode()
        self.validate(name, {"$ref": f"{URN}{pointer}/content/{escaped(kind)}/schema"}, body)
        if answer.status >= 400 and isinstance(body, dict) and not SENTENCE.match(body.get("error", body.get("reason", ""))):
            raise Broken(f"{name} says no sentence: {body}")

    def validate(self, name, schema, value):
        validator = jsonschema.Draft202012Validator(
            schema, registry=self.registry, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
        )
        problem = jsonschema.exceptions.best_match(validator.iter_errors(value))
        if problem:
            raise Broken(f"{name}: {problem.json_path}: {problem.message[:500]}")

    def rule(self, *keys):
        """A schema of the file as one that can be validated against."""
        return {"$ref": f"{URN}#/{'/'.join(map(escaped, keys))}"}

    def within(self, schema):
        """A schema that refers to others of the file, as one that can be validated against."""
        return json.loads(json.dumps(schema).replace('"#/', f'"{URN}#/'))

    def resolved(self, pointer):
        value = self.description
        for key in pointer.removeprefix("#/").split("/"):
            value = value[key.replace("~1", "/").replace("~0", "~")]
        return value

    def described(self):
        """Every answer that the file describes, as operation and status."""
        return {
            (operation["operationId"], int(status))
            for operation in self.operations.values()
            for status in operation["responses"]
        }


def escaped(key):
    """A key as part of a JSON pointer."""
    return key.replace("~", "~0").replace("/", "~1")


def once(pairs):
    """An object, in which no key stands twice."""
    names = [name for name, _ in pairs]
    if len(names) != len(set(names)):
        raise Broken(f"a key stands twice among {names}")
    return dict(pairs)
