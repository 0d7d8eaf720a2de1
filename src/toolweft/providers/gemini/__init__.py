"""Models of Google behind two of its APIs: generateContent and Interactions.

Takes the vendor's SDK (`pip install 'toolweft[gemini]'`), which is loaded when a provider is opened
and not before.
"""

from toolweft.providers.gemini.client import GeminiProvider
from toolweft.providers.gemini.options import GeminiOptions

__all__ = ("GeminiOptions", "GeminiProvider")
