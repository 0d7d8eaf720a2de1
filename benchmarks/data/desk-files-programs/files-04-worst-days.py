import asyncio
import json
import re
from collections import Counter

root = "${DESK_FILES}"
listing = (await list_directory(path=root))["content"]
folders = [f"{root}/{name}" for name in re.findall(r"\[DIR\] (\S+)", listing)]
listings = await asyncio.gather(*[list_directory(path=folder) for folder in folders])
paths = [
    (name.removesuffix(".log"), f"{folder}/{name}")
    for folder, text in zip(folders, listings)
    for name in re.findall(r"\[FILE\] (\S+)", text["content"])
]
files = await asyncio.gather(*[read_text_file(path=path) for _, path in paths])
errors = Counter()
for (day, _), file in zip(paths, files):
    errors[day] += file["content"].count(" ERROR ")
print(json.dumps(sorted(errors.items(), key=lambda item: (-item[1], item[0]))[:3]))
