"""Gateway and function in one FastAPI application; tokens checked by PyJWT, with a cache."""

import os
from functools import lru_cache

import jwt
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from fastapi.responses import Response

KEY = os.environ["PUBLIC_KEY"]
SCOPE, ISSUER = os.environ["SCOPE"], os.environ["ISSUER"]

app = FastAPI()


@lru_cache(maxsize=50_000)
def claims_of(token: str) -> dict:
    return jwt.decode(token, KEY, algorithms=["ES256"], audience=ISSUER, issuer=ISSUER)


async def allowed(authorization: str = Header()) -> None:
    try:
        claims = claims_of(authorization.removeprefix("Bearer "))
    except jwt.InvalidTokenError:
        raise HTTPException(401) from None
    if SCOPE not in claims["scope"].split():
        raise HTTPException(403)


@app.get("/hello", dependencies=[Depends(allowed)])
async def hello(request: Request) -> dict:
    return {"hello": request.url.path}


@app.post("/echo", dependencies=[Depends(allowed)])
async def echo(request: Request) -> Response:
    return Response(await request.body(), media_type="application/json")
