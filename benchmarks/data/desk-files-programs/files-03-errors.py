import asyncio
import json
import re

folder = "${DESK_FILES}/mailer"
listing = (await list_directory(path=folder))["content"]
names = re.findall(r"\[FILE\] (\S+)", listing)
files = await asyncio.gather(*[read_text_file(path=f"{folder}/{name}") for name in names])
errors = {}
for file in files:
    for line in file["content"].splitlines():
        if " ERROR " in line:
            host = re.search(r"host=(\S+)", line).group(1)
            errors[host] = errors.get(host, 0) + 1
print(json.dumps(errors, sort_keys=True))
