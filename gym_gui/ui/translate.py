"""The words on the screen in the user's language.

Widgets call ``self.tr("…")``; code without a widget calls ``tr("…")``; words in a table that is
made before any language is known are marked with ``mark("…")`` and translated where they are
shown. The catalogues are Qt's own (``resources/translations/*.ts``, for Qt Linguist), with one
context for all, so that the same words are translated once.
"""

from __future__ import annotations

from pathlib import Path

from PySide6 import QtCore

CONTEXT = "gym-gui"
FOLDER = Path(__file__).resolve().parent / "resources" / "translations"


def tr(text: str) -> str:
    """Return ``text`` in the language in force."""
    return QtCore.QCoreApplication.translate(CONTEXT, text)


def mark(text: str) -> str:
    """Return ``text`` as it is: it is translated where it is shown."""
    return text


class Catalogue(QtCore.QTranslator):
    """One language's words, whatever class asks for them."""

    def translate(
        self, context: str, text: str, disambiguation: str | None = None, n: int = -1
    ) -> str | None:
        # None and not an empty text: only then does Qt show the words as they are.
        return super().translate(CONTEXT, text, None, n) or None  # type: ignore[arg-type]


def install(application: QtCore.QCoreApplication, choice: str = "system") -> Catalogue | None:
    """Speak the user's language where there is a catalogue of it; else English, and None.

    choice: ``system``, or a language as its two letters. For the whole life of the application.
    """
    locale = QtCore.QLocale() if choice == "system" else QtCore.QLocale(choice)
    QtCore.QLocale.setDefault(locale)
    catalogue = Catalogue(application)
    if locale.language() == QtCore.QLocale.Language.English or not catalogue.load(
        locale, "gym_gui", "_", str(FOLDER)
    ):
        catalogue.deleteLater()
        return None
    application.installTranslator(catalogue)
    return catalogue
