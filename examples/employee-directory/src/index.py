"""The employee directory: four handlers, one for each function of the manifest.

A handler gets the request (and, if it wants it, the context: who calls, on which site) and returns
a dict with a `statusCode`. The directory is kept in the key-value store, which belongs to this one
installation: another site that installs the app has employees of its own.
"""

import json
import logging
from typing import Any

from sallyport_app import Context, Request, Response, kvs

log = logging.getLogger("directory")

FIRST_EMPLOYEES = {
    "1234": {"name": "Ada Lovelace", "department": "engineering", "city": "london"},
    "1235": {"name": "Grace Hopper", "department": "engineering", "city": "arlington"},
    "1236": {"name": "Katherine Johnson", "department": "research", "city": "hampton"},
    "1237": {"name": "Hedy Lamarr", "department": "research", "city": "vienna"},
    "1238": {"name": "Mary Seacole", "department": "people", "city": "london"},
}


def get_employee_name(request: Request) -> Response:
    """GET /getEmployeeName?id=1234"""
    id = request.query("id")
    if id is None:
        return answer(400, {"error": "Say whose name you want: ?id=1234"})
    employee = find(id)
    if employee is None:
        return no_such_employee(id)
    return answer(200, {"id": id, "name": employee["name"]})


def get_employee(request: Request) -> Response:
    """GET /employees/{id}"""
    id = request.path_parameters["id"]
    employee = find(id)
    if employee is None:
        return no_such_employee(id)
    return answer(200, {"id": id, **employee})


def edit_employee_name(request: Request, context: Context) -> Response:
    """POST /editEmployeeName with {"id": "1234", "name": "Ada King"}"""
    try:
        wish = json.loads(request.body)
        id, name = wish["id"], wish["name"].strip()
    except (ValueError, TypeError, KeyError, AttributeError):
        return answer(400, {"error": 'Send JSON: {"id": "1234", "name": "Ada King"}'})
    if not 1 <= len(name) <= 100:
        return answer(400, {"error": "A name has 1 to 100 characters."})
    employee = find(id)
    if employee is None:
        return no_such_employee(id)
    kvs.set(f"employee:{id}", {**employee, "name": name})
    log.info("account %s renamed employee %s", context.account_id, id)
    return answer(200, {"id": id, "name": name})


def browse_employees(request: Request) -> Response:
    """GET /employees/department/engineering, or /employees/department/research/city/vienna"""
    steps = request.user_path.strip("/").split("/")
    wanted = dict(zip(steps[::2], steps[1::2], strict=False))
    if len(steps) % 2 or not wanted.keys() <= {"department", "city"}:
        return answer(404, {"error": "Browse by department, by city, or by both."})
    found = [
        employee
        for employee in everybody()
        if all(employee[field] == value for field, value in wanted.items())
    ]
    return answer(200, {"employees": found})


def find(id: Any) -> dict[str, Any] | None:
    """The employee with this id, or None; what callers send is an id only if it looks like one."""
    if not isinstance(id, str) or not id.isascii() or not id.isdigit() or len(id) > 10:
        return None
    move_in()
    return kvs.get(f"employee:{id}")


def everybody() -> list[dict[str, Any]]:
    """All employees, in the order of their ids, read page by page."""
    move_in()
    employees = []
    cursor = None
    while True:
        page = kvs.query(prefix="employee:", limit=100, cursor=cursor)
        employees += [{"id": each.key.removeprefix("employee:"), **each.value} for each in page]
        cursor = page.cursor
        if cursor is None:
            return employees


def move_in() -> None:
    """Fill the directory of a new installation, once."""
    if kvs.get("moved-in"):
        return
    for id, employee in FIRST_EMPLOYEES.items():
        kvs.set(f"employee:{id}", employee)
    kvs.set("moved-in", True)
    log.info("filled a new directory with %d employees", len(FIRST_EMPLOYEES))


def answer(status: int, body: dict[str, Any]) -> Response:
    return {"statusCode": status, "body": body}


def no_such_employee(id: Any) -> Response:
    return answer(404, {"error": f"There is no employee {str(id)[:20]!r}."})
