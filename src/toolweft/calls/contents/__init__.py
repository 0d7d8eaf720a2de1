"""Resources and prompts of all sources: named, found, used, recorded, limited."""

from toolweft.calls.contents.names import NameRule, name_for_people
from toolweft.calls.contents.news import ContentNews
from toolweft.calls.contents.road import ContentRoad
from toolweft.calls.contents.routes import ContentRoutes, Route
from toolweft.calls.contents.view import ContentView, Freshness, Subscribed

__all__ = (
    "ContentNews",
    "ContentRoad",
    "ContentRoutes",
    "ContentView",
    "Freshness",
    "NameRule",
    "Route",
    "Subscribed",
    "name_for_people",
)
