"""/docs: Swagger UI from this service alone, within a policy that keeps the browser to it."""

import re

import httpx
import pytest

from api import docs_page
from tests import browser
from tests.api import kit
from tests.api.kit import Installation

MEDIA = {"js": "text/javascript", "css": "text/css", "png": "image/png"}


@pytest.fixture(scope="module")
def page(api: httpx.Client) -> str:
    answer = api.get("/docs")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    return answer.text


def test_it_names_no_other_host(api: httpx.Client, page: str) -> None:
    for text in (page, api.get("/docs/start.js").text):
        assert not re.search(r"//[\w.]", text)
    assert "validatorUrl: null" in api.get("/docs/start.js").text


def test_everything_that_it_loads_comes_with_the_service(api: httpx.Client, page: str) -> None:
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(loaded) == len(docs_page.FILES) + 1
    for each in loaded:
        answer = api.get(f"/{each}")
        assert answer.status_code == 200, each
        assert answer.headers["Content-Type"].startswith(MEDIA[each.rpartition(".")[2]])
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert len(answer.content) > 100
    assert b"SwaggerUIBundle" in api.get("/docs/swagger-ui-bundle.js").content


def test_the_policy_allows_only_this_service(api: httpx.Client) -> None:
    policy = dict(each.strip().split(" ", 1) for each in api.get("/docs").headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert {source for sources in policy.values() for source in sources.split()} <= {
        "'none'",
        "'self'",
        "'unsafe-inline'",
        "data:",
    }
    assert "sandbox" in api.get("/docs/start.js").headers["Content-Security-Policy"]


def test_other_pages_of_documentation_are_gone(api: httpx.Client) -> None:
    for path in ("/redoc", "/docs/oauth2-redirect", "/docs/__init__.py", "/docs/../app.py"):
        assert api.get(path).status_code == 404


def test_a_request_made_in_a_browser_is_answered(house: Installation) -> None:
    """The whole page works within its policy, and asks no other host."""
    with kit.served(house) as client, browser.page() as (page, seen):
        origin = str(client.base_url)
        page.goto(f"{origin}/docs")
        page.get_by_role("button", name="Authorize").click()
        page.locator(".auth-container input").fill(house.key)
        page.locator(".auth-container").get_by_role("button", name="Apply credentials").click()
        page.get_by_role("button", name="Close").click()
        workers = page.locator(".opblock", has_text="/v1/workers")
        workers.locator(".opblock-summary-control").click()
        workers.get_by_role("button", name="Try it out").click()
        workers.get_by_role("button", name="Execute").click()
        answer = workers.locator(".live-responses-table .response").first
        answer.wait_for()
        assert answer.locator(".response-col_status").inner_text().startswith("200")
        assert '"data": []' in answer.inner_text()
        assert f"{origin}/v1/workers?limit=20" in seen.requests
        assert not seen.elsewhere(origin)
        assert not seen.complaints
