import asyncio
import json
import re

root = "${DESK_FILES}"
listing = (await list_directory(path=root))["content"]
services = re.findall(r"\[DIR\] (\S+)", listing)


async def slowest(service):
    folder = f"{root}/{service}"
    names = re.findall(r"\[FILE\] (\S+)", (await list_directory(path=folder))["content"])
    files = await asyncio.gather(*[read_text_file(path=f"{folder}/{name}") for name in names])
    return max(int(ms) for file in files for ms in re.findall(r"ms=(\d+)", file["content"]))


print(json.dumps(dict(zip(services, await asyncio.gather(*map(slowest, services))))))
