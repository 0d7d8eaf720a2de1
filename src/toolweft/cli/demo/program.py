"""The task of the demo, and the program a model would write for it."""

__all__ = ("QUERIES", "QUESTION", "render_program")

QUESTION = (
    "Before the quarterly call: who spent more on approved travel in Q3 than their grade allows,"
    " by how much, and is it working time at their office now? And what changed last in the"
    " repository?"
)

# What a model would look for, one query a need.
QUERIES = (
    "list people of a team",
    "expense lines of a person",
    "travel budget",
    "current time in a time zone",
    "commit log of a repository",
)

_PROGRAM = """\
import asyncio

TRAVEL = {"flight", "rail", "hotel", "taxi"}
TEAMS = ["engineering", "sales", "support", "operations"]

# One round: every team, and the repository's history.
*teams, history = await asyncio.gather(
    *(expenses.list_people(team=team) for team in TEAMS),
    git.git_log(repo_path=REPOSITORY, max_count=20),
)
people = [person for team in teams for person in team]
grades = sorted({person["grade"] for person in people})
zones = sorted({person["timezone"] for person in people})

# One more: every person's lines, every grade's budget, the time at every office.
answers = await asyncio.gather(
    *(expenses.list_expenses(person=person["name"], quarter="Q3") for person in people),
    *(expenses.get_travel_budget(grade=grade) for grade in grades),
    *(time.get_current_time(timezone=zone) for zone in zones),
)
lines, rest = answers[: len(people)], answers[len(people) :]
budgets = dict(zip(grades, rest))
clocks = dict(zip(zones, rest[len(grades) :]))

over = []
for person, expense_lines in zip(people, lines):
    spent = sum(
        line["amount_eur"]
        for line in expense_lines
        if line["category"] in TRAVEL and line["status"] == "approved"
    )
    budget = budgets[person["grade"]]
    if spent > budget:
        clock = clocks[person["timezone"]]
        hour = int(clock["datetime"][11:13])
        at_work = 9 <= hour < 17 and clock["day_of_week"] not in ("Saturday", "Sunday")
        over.append((spent - budget, spent, person, clock["datetime"][11:16], at_work))

print(f"{len(people)} people, {sum(map(len, lines))} expense lines; over budget in Q3:")
for excess, spent, person, local_time, at_work in sorted(over, key=lambda row: -row[0]):
    print(
        f"- {person['name']} ({person['team']}): {spent:.2f} EUR, {excess:.2f} over;"
        f" {local_time} there, {'at work' if at_work else 'not at work'}"
    )
messages = [line[9:] for line in history.splitlines() if line.startswith("Message: ")]
print("latest commits:", *messages[:3], sep="\\n- ")
"""


def render_program(repository: str) -> str:
    """The program, for the repository at this path."""
    return _PROGRAM.replace("TEAMS = ", f"REPOSITORY = {repository!r}\nTEAMS = ", 1)
