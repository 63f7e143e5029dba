"""`GET /_edge/tenant_info` on a site's host: how callers learn the cloud id, contract (d)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sallyport.gateway.endpoint import host_name
from sallyport.gateway.facts import Facts, Lacking
from sallyport.gateway.sources import Sources
from sallyport.vocab import problem
from sallyport.vocab.errors import Reason, Refused


def tenant_route(facts: Facts, sources: Sources) -> Route:
    """The route; it needs no credentials."""

    async def tenant_info(request: Request) -> Response:
        hosts = request.headers.getlist("host")
        host = host_name(hosts[0]) if len(hosts) == 1 else ""
        try:
            site = facts.get(sources.site_by_host, host)
        except Lacking as lacking:
            await facts.load(lacking)
            site = facts.get(sources.site_by_host, host)
        if site is None:
            refused = Refused(
                Reason.SITE_UNKNOWN,
                f"There is no site with the host {host[:253]!r}.",
                fix="Ask on the site's own host.",
            )
            return Response(problem.encode(refused), 404, media_type=problem.MEDIA_TYPE)
        return JSONResponse({"cloudId": site.id})

    return Route("/_edge/tenant_info", tenant_info, methods=["GET"])
