# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The API of a stand-in for AWX 24.6.1, as much of it as the awx.awx modules need to declare things.

It takes and refuses what AWX does: test_stand_in.py has the rules. Secrets are never shown again, only "$encrypted$".
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from awx.controller import EDGES, Controller
from awx.resources import RESOURCES
from awx.rules import ENCRYPTED, Record, Refused, secret_inputs
from awx.surveys import check_launch, check_survey, questions_of

TOKEN = "standInToken"
API = "/api/v2"
PAGE_SIZE = 25
SUMMARIES = (
    "organization",
    "project",
    "inventory",
    "credential_type",
    "workflow_job_template",
    "execution_environment",
)


def view(controller: Controller, record: Record) -> Record:
    """An object as the API shows it."""
    collection = controller.collection_of(record)
    resource = RESOURCES[collection]
    url = f"{API}/{collection}/{record['id']}/"
    shown: Record = {**record, "url": url, "summary_fields": {}, "related": {}}
    shown.pop("outcome", None)
    if resource.survey:
        shown["related"]["survey_spec"] = f"{url}survey_spec/"
    for name in SUMMARIES:
        target = controller.find(resource.fields.get(name, ""), record.get(name))
        if target:
            shown["summary_fields"][name] = {"id": target["id"], "name": target["name"]}
    template = controller.find("unified_job_templates", record.get("unified_job_template"))
    if template:
        shown["related"]["unified_job_template"] = f"{API}/{controller.collection_of(template)}/{template['id']}/"
        shown["summary_fields"]["unified_job_template"] = summary_of_template(template)
    if collection == "credentials":
        secrets = secret_inputs(controller.objects["credential_types"][record["credential_type"]])
        shown["inputs"] = {
            name: ENCRYPTED if name in secrets and value else value for name, value in record["inputs"].items()
        }
    if collection == "workflow_job_template_nodes":
        shown.update({relation: list(controller.linked(record, relation)) for relation in EDGES})
    if collection == "projects":
        show_syncs(controller, record, shown)
    if collection == "project_updates":
        shown["failed"] = record["status"] in ("failed", "error", "canceled")
        shown["finished"] = "2026-01-01T00:00:00Z" if controller.is_finished(record) else None
        shown["event_processing_finished"] = controller.is_finished(record)
    if collection == "job_templates":
        show_organization(controller, record, shown)
    if resource.unified or collection == "workflow_approval_templates":
        shown.setdefault("organization", None)
    return shown


def summary_of_template(template: Record) -> Record:
    kind = template["type"].removesuffix("_template")
    summary = {"id": template["id"], "name": template["name"], "description": template["description"]}
    return {**summary, "unified_job_type": kind, **({"timeout": template["timeout"]} if "approval" in kind else {})}


def show_syncs(controller: Controller, project: Record, shown: Record) -> None:
    updates = controller.updates(project)
    shown["related"]["update"] = f"{shown['url']}update/"
    shown["scm_revision"] = next((item["scm_revision"] for item in reversed(updates) if item["scm_revision"]), "")
    shown["status"] = updates[-1]["status"] if updates else "never updated"
    unfinished = [item for item in updates if not controller.is_finished(item)]
    if unfinished:
        shown["summary_fields"]["current_update"] = {"id": unfinished[-1]["id"], "status": unfinished[-1]["status"]}


def show_organization(controller: Controller, template: Record, shown: Record) -> None:
    """A job template's organization is its project's."""
    project = controller.objects["projects"].get(template["project"] or 0)
    organization = controller.objects["organizations"].get((project or template).get("organization") or 0)
    shown["organization"] = organization["id"] if organization else None
    if organization:
        shown["summary_fields"]["organization"] = {"id": organization["id"], "name": organization["name"]}


def build(controller: Controller) -> Starlette:
    async def collection(request: Request) -> Response:
        name = request.path_params["collection"]
        if name == "unified_job_templates" and request.method == "GET":
            return listing(request, controller.unified())
        if name not in RESOURCES:
            return not_found()
        if request.method == "OPTIONS":
            return options(name, "POST")
        if request.method == "GET":
            return listing(request, list(controller.objects[name].values()))
        controller.writes.append(f"POST {name}")
        return JSONResponse(view(controller, controller.create(name, await request.json())), 201)

    async def detail(request: Request) -> Response:
        name, record = one(request)
        if record is None:
            return not_found()
        if request.method == "OPTIONS":
            return options(name, "PUT")
        if request.method in ("PATCH", "PUT", "DELETE"):
            controller.writes.append(f"{request.method} {name}")
        if request.method == "DELETE":
            controller.delete(name, record)
            return Response(status_code=204)
        if request.method == "PATCH":
            controller.update(name, record, await request.json())
        if request.method == "PUT":
            controller.replace(name, record, await request.json())
        return JSONResponse(view(controller, record))

    async def below(request: Request) -> Response:
        name, record = one(request)
        relation = request.path_params["relation"]
        if record is None:
            return not_found()
        if relation == "survey_spec" and RESOURCES[name].survey:
            return await survey(request, record)
        if relation == "launch" and name == "job_templates":
            return await launch(request, record)
        if relation == "update" and name == "projects" and request.method == "POST":
            return sync(record)
        if relation in ("hosts", "groups") and name == "inventory_sources" and request.method == "DELETE":
            controller.writes.append(f"DELETE {name} {relation}")
            return Response(status_code=204)
        if relation == "create_approval_template" and request.method == "POST":
            return await approval(request, record)
        if relation not in RESOURCES[name].related:
            return not_found()
        if request.method == "POST":
            controller.writes.append(f"POST {name} {relation}")
            controller.associate(record, relation, await request.json())
            return Response(status_code=204)
        target = RESOURCES[name].related[relation]
        linked = controller.linked(record, relation)
        return listing(request, [item for item in (controller.find(target, key) for key in linked) if item])

    async def survey(request: Request, record: Record) -> Response:
        if request.method == "GET":
            return JSONResponse(controller.surveys.get(record["id"], {}))
        controller.writes.append(f"{request.method} survey_spec")
        controller.surveys[record["id"]] = check_survey(await request.json()) if request.method == "POST" else {}
        return JSONResponse(None)

    async def launch(request: Request, record: Record) -> Response:
        spec = controller.surveys.get(record["id"])
        if request.method == "GET":
            needed = [question["variable"] for question in questions_of(record, spec) if question["required"]]
            return JSONResponse({"variables_needed_to_start": needed, "survey_enabled": record["survey_enabled"]})
        given = (await request.json()).get("extra_vars", {})
        return JSONResponse({"job": 1, "extra_vars": check_launch(given, record, spec)}, 201)

    async def approval(request: Request, node: Record) -> Response:
        controller.writes.append("POST create_approval_template")
        created = controller.create("workflow_approval_templates", await request.json())
        node["unified_job_template"] = created["id"]
        return JSONResponse(view(controller, created), 201)

    def sync(project: Record) -> Response:
        if not project["scm_type"]:
            return JSONResponse({"detail": 'Method "POST" not allowed.'}, 405)
        controller.writes.append("POST projects update")
        update = controller.sync(project)
        return JSONResponse({"project_update": update["id"], **view(controller, update)}, 202)

    def one(request: Request) -> tuple[str, Record | None]:
        name = request.path_params["collection"]
        return name, controller.objects.get(name, {}).get(request.path_params["id"])

    def options(name: str, method: str) -> Response:
        fields = {field: {"type": kind.rstrip("?")} for field, kind in RESOURCES[name].fields.items()}
        return JSONResponse(
            {"name": RESOURCES[name].type, "types": [RESOURCES[name].type], "actions": {method: fields}}
        )

    def listing(request: Request, records: list[Record]) -> Response:
        query = dict(request.query_params)
        size = min(int(query.pop("page_size", PAGE_SIZE)), 200)
        page = int(query.pop("page", 1))
        query.pop("order_by", None)
        shown = [view(controller, item) for item in records]
        shown = [item for item in shown if all(matches(item, name, value) for name, value in asked(query, ""))]
        either = asked(query, "or__")
        if either:
            shown = [item for item in shown if any(matches(item, name, value) for name, value in either)]
        rest = urlencode({**request.query_params, "page": page + 1})
        following = f"{request.url.path}?{rest}" if len(shown) > page * size else None
        part = shown[(page - 1) * size : page * size]
        return JSONResponse({"count": len(shown), "next": following, "previous": None, "results": part})

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        return JSONResponse(error.body, error.status)

    async def settle(request: Request, call_next: RequestResponseEndpoint) -> Response:
        controller.settle()
        return await call_next(request)

    return Starlette(
        routes=[
            Route(f"{API}/{{collection}}/", collection, methods=["GET", "POST", "OPTIONS"]),
            Route(f"{API}/{{collection}}/{{id:int}}/", detail, methods=["GET", "PATCH", "PUT", "DELETE", "OPTIONS"]),
            Route(f"{API}/{{collection}}/{{id:int}}/{{relation}}/", below, methods=["GET", "POST", "DELETE"]),
        ],
        exception_handlers={Refused: refused},
        middleware=[
            Middleware(BaseHTTPMiddleware, dispatch=require_token),
            Middleware(BaseHTTPMiddleware, dispatch=settle),
        ],
    )


def asked(query: dict[str, str], prefix: str) -> list[tuple[str, str]]:
    """The conditions of a query that have to hold all, or with the prefix ``or__`` one."""
    either = {name: value for name, value in query.items() if name.startswith("or__")}
    if prefix:
        return [(name.removeprefix(prefix), value) for name, value in either.items()]
    return [(name, value) for name, value in query.items() if name not in either]


def matches(shown: Record, name: str, value: str) -> bool:
    """Whether an object is as a filter wants it: a field, the name of what it points at, or the start of a text."""
    field, dummy, rest = name.partition("__")
    if field not in shown:
        raise Refused({"detail": f"{shown['type']} has no field named '{field}'"})
    found: Any = shown[field]
    if rest == "name":
        found = shown["summary_fields"].get(field, {}).get("name")
    elif rest == "startswith":
        return str(found).startswith(value)
    elif rest == "in":
        return str(found) in value.split(",")
    elif rest:
        raise Refused({"detail": f"{name} is not a filter that the stand-in knows"})
    return str(found) == value


def not_found() -> Response:
    return JSONResponse({"detail": "Not found."}, 404)


async def require_token(request: Request, call_next: RequestResponseEndpoint) -> Response:
    if request.headers.get("authorization") != f"Bearer {TOKEN}":
        return JSONResponse({"detail": "Authentication credentials were not provided."}, 401)
    answer = await call_next(request)
    answer.headers.update({"X-API-Product-Name": "AWX", "X-API-Product-Version": "24.6.1"})
    return answer
