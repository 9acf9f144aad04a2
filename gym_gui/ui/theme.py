"""The program's look: two palettes of one design, and the style sheet made from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6 import QtCore, QtGui, QtWidgets


@dataclass(frozen=True)
class Theme:
    """Colours by purpose, as ``#rrggbb``."""

    name: str
    window: str  # behind everything
    surface: str  # panels, tables, fields
    raised: str  # hover, alternate rows
    line: str  # borders
    text: str
    muted: str
    accent: str
    on_accent: str
    selection: str
    ring: str  # around the list that has the keyboard
    good: str
    warn: str
    bad: str


DARK = Theme(
    "dark", "#111418", "#171b21", "#1f252d", "#2a313b", "#e6eaf0", "#8f9bab",
    "#4c9aff", "#08131f", "#21364f", "#31609c", "#3fb27f", "#e0a63a", "#ec6a5e",
)  # fmt: skip
LIGHT = Theme(
    "light", "#f3f5f8", "#ffffff", "#eef1f5", "#d8dee6", "#1b2129", "#5d6875",
    "#1668d6", "#ffffff", "#d9e8fc", "#6aa2ea", "#1d8a5b", "#a86c00", "#c63a2f",
)  # fmt: skip

RESOURCES = Path(__file__).resolve().parent / "resources"

_current = DARK


def current() -> Theme:
    """Return the theme in force."""
    return _current


def resolve(choice: str) -> Theme:
    """Return the theme for ``system``, ``dark`` or ``light``."""
    if choice in ("dark", "light"):
        return DARK if choice == "dark" else LIGHT
    scheme = QtGui.QGuiApplication.styleHints().colorScheme()
    return LIGHT if scheme == QtCore.Qt.ColorScheme.Light else DARK


def apply(application: QtWidgets.QApplication, choice: str = "system") -> Theme:
    """Dress the whole program; call again when the choice or the desktop's scheme changes."""
    global _current
    theme = resolve(choice)
    _current = theme
    if application.style().objectName() != "fusion":
        application.setStyle("Fusion")
    application.setPalette(_palette(theme))
    application.setStyleSheet(_style_sheet(theme))
    return theme


def _palette(theme: Theme) -> QtGui.QPalette:
    role = QtGui.QPalette.ColorRole
    palette = QtGui.QPalette()
    for roles, colour in (
        ((role.Window, role.Button), theme.window),
        ((role.Base, role.ToolTipBase), theme.surface),
        ((role.AlternateBase, role.Light, role.Midlight), theme.raised),
        ((role.Mid, role.Dark), theme.line),
        ((role.WindowText, role.Text, role.ButtonText, role.ToolTipText), theme.text),
        ((role.BrightText, role.HighlightedText), theme.text),
        ((role.PlaceholderText,), theme.muted),
        ((role.Highlight,), theme.selection),
        ((role.Link, role.Accent), theme.accent),
    ):
        for one in roles:
            palette.setColor(one, QtGui.QColor(colour))
    disabled = QtGui.QPalette.ColorGroup.Disabled
    for one in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(disabled, one, QtGui.QColor(theme.muted))
    return palette


def _style_sheet(theme: Theme) -> str:
    values = {key: value for key, value in vars(theme).items() if key != "name"}
    sheet = _SHEET
    for name in ("chevron-up", "chevron", "check"):
        key = f"@{name}"
        sheet = sheet.replace(key, (RESOURCES / f"{name}-{theme.name}.png").as_posix())
    for key in sorted(values, key=len, reverse=True):
        sheet = sheet.replace(f"@{key}", values[key])
    return sheet


_SHEET = """
QMainWindow, QDialog { background: @window; }
#palette { border: 1px solid @line; }
QDialogButtonBox { dialogbuttonbox-buttons-have-icons: 0; button-layout: 3; }
QToolTip { background: @surface; color: @text; border: 1px solid @line; padding: 4px 6px; }
QSplitter::handle { background: @line; width: 1px; height: 1px; }
QMenuBar { background: @window; border-bottom: 1px solid @line; padding: 1px 4px; }
QMenuBar::item { padding: 4px 9px; border-radius: 4px; background: transparent; }
QMenuBar::item:selected { background: @raised; }
QMenu { background: @surface; border: 1px solid @line; padding: 4px; }
QMenu::item { padding: 5px 26px 5px 12px; border-radius: 4px; }
QMenu::item:selected { background: @selection; color: @text; }
QMenu::item:disabled { color: @muted; }
QMenu::separator { height: 1px; background: @line; margin: 4px 6px; }
QTabWidget::pane { border: none; border-top: 1px solid @line; }
QTabBar { background: @window; qproperty-drawBase: 0; }
QTabBar::tab {
    background: transparent; color: @muted; padding: 7px 12px; border: none;
    border-bottom: 2px solid transparent;
}
QTabBar::tear { width: 0; border: none; }
QTabBar::tab:hover { color: @text; }
QTabBar::tab:selected { color: @text; border-bottom: 2px solid @accent; }
QTabBar::tab:selected:focus { background: @raised; }
QHeaderView { background: @surface; }
QHeaderView::section {
    background: @surface; color: @muted; border: none; border-bottom: 1px solid @line;
    padding: 5px 6px;
}
QHeaderView::section:vertical { border-bottom: none; }
QHeaderView::down-arrow, QHeaderView::up-arrow {
    subcontrol-origin: padding; subcontrol-position: top center; width: 8px; height: 8px;
}
QHeaderView::down-arrow { image: url("@chevron"); }
QHeaderView::up-arrow { image: url("@chevron-up"); }
QTableView, QTreeView, QListView, QPlainTextEdit, QTextEdit {
    background: @surface; border: 1px solid transparent; selection-background-color: @selection;
    selection-color: @text; alternate-background-color: @raised; outline: none;
}
QTableView::item { padding: 0 3px; }
QTableCornerButton::section { background: @surface; border: none; border-bottom: 1px solid @line; }
QTreeView::item, QListView::item { padding: 5px 4px; }
QTreeView::item:selected, QListView::item:selected { background: @selection; color: @text; }
QPlainTextEdit, QTextEdit { border-color: @line; border-radius: 6px; }
QTableView:focus, QTreeView:focus, QListView:focus, QPlainTextEdit:focus, QTextEdit:focus {
    border-color: @ring;
}
QLineEdit, QComboBox {
    background: @surface; border: 1px solid @line; border-radius: 6px; padding: 4px 8px;
    selection-background-color: @accent; selection-color: @on_accent; min-height: 18px;
}
QLineEdit:focus, QComboBox:focus { border-color: @accent; }
QAbstractSpinBox {
    background: @surface; border: 1px solid @line; border-radius: 6px; padding: 2px 0;
    selection-background-color: @accent; selection-color: @on_accent; min-height: 22px;
}
QAbstractSpinBox:focus { border-color: @accent; }
QAbstractSpinBox QLineEdit {
    border: none; border-radius: 0; padding: 0; background: transparent; min-height: 0;
}
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button {
    subcontrol-origin: border; width: 20px; border: none; background: transparent;
}
QAbstractSpinBox::up-button { subcontrol-position: top right; padding-top: 3px; }
QAbstractSpinBox::down-button { subcontrol-position: bottom right; padding-bottom: 3px; }
QAbstractSpinBox::up-arrow { image: url("@chevron-up"); width: 8px; height: 8px; }
QAbstractSpinBox::down-arrow { image: url("@chevron"); width: 8px; height: 8px; }
QAbstractSpinBox::up-arrow:off, QAbstractSpinBox::down-arrow:off { image: none; }
QLineEdit:disabled, QComboBox:disabled, QAbstractSpinBox:disabled {
    background: @window; color: @muted; placeholder-text-color: @muted;
}
QCheckBox { spacing: 8px; border: 1px solid transparent; }
QCheckBox::indicator, QAbstractItemView::indicator, QMenu::indicator {
    width: 13px; height: 13px; border: 1px solid @muted; border-radius: 4px; background: @surface;
}
QMenu::indicator { left: 6px; }
QCheckBox::indicator:checked, QAbstractItemView::indicator:checked, QMenu::indicator:checked {
    background: @accent; border-color: @accent; image: url("@check");
}
QCheckBox::indicator:disabled { border-color: @line; background: @window; }
QCheckBox::indicator:checked:disabled { background: @line; border-color: @line; }
QCheckBox:disabled { color: @muted; }
QCheckBox::indicator:focus { border: 2px solid @accent; width: 11px; height: 11px; }
QSlider::groove:horizontal { height: 4px; background: @line; border-radius: 2px; }
QSlider::sub-page:horizontal { background: @accent; border-radius: 2px; }
QSlider::handle:horizontal {
    width: 12px; height: 12px; margin: -5px 0; border-radius: 7px;
    background: @surface; border: 1px solid @muted;
}
QSlider::handle:horizontal:hover, QSlider::handle:horizontal:focus {
    border: 2px solid @accent; width: 10px; height: 10px;
}
QSlider::sub-page:horizontal:disabled { background: @line; }
QSlider::handle:horizontal:disabled { background: @window; border-color: @line; }
QComboBox::drop-down { border: none; width: 22px; }
QComboBox::down-arrow { image: url("@chevron"); width: 10px; height: 10px; }
QComboBox QAbstractItemView { border: 1px solid @line; selection-background-color: @selection; }
QPushButton {
    background: @surface; border: 1px solid @line; border-radius: 6px; padding: 5px 14px;
}
QPushButton:hover { background: @raised; }
QPushButton:disabled { color: @muted; }
QPushButton:default, QPushButton[primary="true"] {
    background: @accent; color: @on_accent; border-color: @accent;
}
QPushButton:default:disabled, QPushButton[primary="true"]:disabled {
    background: @raised; color: @muted; border-color: @line;
}
QPushButton:focus { border-color: @accent; }
QPushButton:default:focus, QPushButton[primary="true"]:focus { border-color: @text; }
QToolButton { border: 1px solid transparent; border-radius: 6px; padding: 4px; }
QToolButton:hover { background: @raised; }
QToolButton:checked { background: @selection; }
QToolButton:focus { border-color: @accent; }
QToolButton::menu-indicator { width: 0; image: none; }
QStatusBar {
    background: @window; border-top: 1px solid @line; color: @muted; min-height: 28px;
}
QStatusBar::item { border: none; }
QStatusBar QToolButton { padding: 0 8px; }
QScrollBar:vertical { background: transparent; width: 11px; margin: 2px; }
QScrollBar:horizontal { background: transparent; height: 11px; margin: 2px; }
QScrollBar::handle { background: @line; border-radius: 3px; min-height: 28px; min-width: 28px; }
QScrollBar::handle:hover { background: @muted; }
QAbstractScrollArea::corner { background: transparent; border: none; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
#panel, #tabBarRow { background: @surface; }
#panelTitle { font-size: 15px; font-weight: 600; color: @text; }
#muted { color: @muted; }
#emptyTitle { font-size: 20px; font-weight: 600; color: @text; }
#emptyText { color: @muted; font-size: 13px; }
#plotCaption { background: @surface; color: @text; padding: 6px 8px 2px 8px; }
#emptyPlot { background: @surface; color: @muted; }
#strip { background: @surface; border-bottom: 1px solid @line; }
#trouble { background: @raised; border-left: 3px solid @warn; border-bottom: 1px solid @line; }
#bad { color: @bad; }
#sidebar { background: transparent; }
#sidebar::item { border-radius: 6px; padding: 8px 10px; }
#slim { padding: 1px 10px; }
#toast {
    background: @surface; border: 1px solid @line; border-radius: 8px; border-left: 3px solid @good;
}
#toast[bad="true"] { border-left: 3px solid @bad; }
#tourCard { background: @surface; border: 1px solid @line; border-radius: 10px; }
#toastTitle { font-weight: 600; color: @text; }
QProgressBar { background: @raised; border: none; border-radius: 3px; }
QProgressBar::chunk { background: @accent; border-radius: 3px; }
"""
