from aiohttp import web


async def hello(request):
    name = request.match_info.get("name", "Anonymous")
    return web.Response(text=f"Hello, {name}")


app = web.Application()
app.add_routes([web.get("/", hello), web.get("/{name}", hello)])

if __name__ == "__main__":
    web.run_app(app)
