"""`/docs`: Swagger UI with the OpenAPI document. Its files come with the service, so a browser asks no other host."""

from functools import partial
from importlib import resources

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse, Response

router = APIRouter(prefix="/docs", include_in_schema=False)

PACKAGE = "fastapi_swagger.resources"
"""Only its files are used: it is released with each version of Swagger UI."""
FILES = ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png")
# Swagger UI sets styles of its elements, and its style sheet has pictures in it.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# Addresses are relative, for a proxy that serves the API below a path.
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Athanor</title>
<link rel="icon" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
# Without validatorUrl, Swagger UI sends the address of the document to a validator on another host.
START = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
});
"""


@router.get("")
@router.head("")
def page() -> HTMLResponse:
    return HTMLResponse(PAGE, headers={"Content-Security-Policy": POLICY})


@router.get("/start.js")
@router.head("/start.js")
def start() -> Response:
    return Response(START, media_type="text/javascript")


def _file(path: str) -> FileResponse:
    return FileResponse(path)


for _name in FILES:
    # The package is a folder of files, as pip installs it.
    _answer = partial(_file, str(resources.files(PACKAGE) / _name))
    router.add_api_route(f"/{_name}", _answer, methods=["GET", "HEAD"], response_class=FileResponse)
