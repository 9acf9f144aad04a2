"""The row of controls above a live picture: pace, render budget, HUD, capture, detach."""

from __future__ import annotations

import math

from PySide6 import QtCore, QtGui, QtWidgets

from gym_gui.ui import theme
from gym_gui.ui.icons import icon
from gym_gui.ui.widgets.numbers import DoubleSpinBox

OWN_PACE = math.nan
PACES = (
    ("Script's own pace", OWN_PACE),
    ("Full speed", 0.0),
    ("1,000 steps/s", 1000.0),
    ("240 steps/s", 240.0),
    ("60 steps/s", 60.0),
    ("30 steps/s", 30.0),
    ("10 steps/s", 10.0),
    ("1 step/s", 1.0),
)
FILMS = (("Record GIF", ".gif"), ("Record MP4", ".mp4"))


class FastLaneBar(QtWidgets.QFrame):
    """Emits what the user asks for; keeps no state of the run."""

    hud_toggled = QtCore.Signal(bool)
    pace_changed = QtCore.Signal(bool, float)  # paused, steps a second (0: free, NaN: own)
    budget_changed = QtCore.Signal(float)  # 0 to 1
    alone_changed = QtCore.Signal(bool)  # show the first environment alone, or all
    picture_requested = QtCore.Signal()
    film_toggled = QtCore.Signal(str)  # suffix at the start, empty at the end
    detach_requested = QtCore.Signal()

    def __init__(
        self, *, budget: float, own_pace: float = 0.0, parent: QtWidgets.QWidget | None = None
    ) -> None:
        """budget: 0 to 1. own_pace: steps a second the run was started with, 0 unlimited."""
        super().__init__(parent)
        self.setObjectName("strip")
        self._filming = False
        self._own_pace = own_pace
        self.pause = self._button("pause", self.tr("Pause the training (Space)"), checkable=True)
        self.pause.setShortcut(QtGui.QKeySequence(QtCore.Qt.Key.Key_Space))
        self.pause.toggled.connect(self._pace)
        self.speed = QtWidgets.QComboBox()
        for label, value in PACES:
            self.speed.addItem(self.tr(label), value)
        if own_pace:
            self.speed.setItemText(0, self.tr("{} steps/s (as started)").format(f"{own_pace:,g}"))
        self.speed.setAccessibleName(self.tr("Speed"))
        self.speed.setToolTip(self.tr("How fast the training may step"))
        self.speed.currentIndexChanged.connect(self._pace)
        self.budget = self._budget_box(budget)
        self.environments = self._environments_box()
        self.hud = self._button("hud", self.tr("Show the numbers over the picture"), checkable=True)
        self.hud.setChecked(True)
        self.hud.toggled.connect(self.hud_toggled)
        self.capture = self._button("camera", self.tr("Save a picture or a film"))
        self._menu_for_capture()
        self.detach = self._button("detach", self.tr("Show in a window of its own"))
        self.detach.clicked.connect(self.detach_requested)
        self._lay_out()

    def _button(self, name: str, help: str, *, checkable: bool = False) -> QtWidgets.QToolButton:
        button = QtWidgets.QToolButton()
        button.setIcon(icon(name, theme.current().text))
        button.setIconSize(QtCore.QSize(18, 18))
        button.setToolTip(help)
        button.setAccessibleName(help)
        button.setCheckable(checkable)
        return button

    def _budget_box(self, budget: float) -> QtWidgets.QDoubleSpinBox:
        box = DoubleSpinBox()
        box.setRange(0.1, 100.0)
        box.setDecimals(1)
        box.setFixedWidth(88)
        box.setSuffix(" %")
        box.setValue(budget * 100)
        box.setAccessibleName(self.tr("Render budget"))
        box.setToolTip(self.tr("Share of the training's time that live pictures may take"))
        box.setKeyboardTracking(False)
        box.valueChanged.connect(lambda value: self.budget_changed.emit(value / 100))
        return box

    def _environments_box(self) -> QtWidgets.QComboBox:
        box = QtWidgets.QComboBox()
        box.addItem(self.tr("All environments"), False)
        box.addItem(self.tr("First one alone"), True)
        box.setAccessibleName(self.tr("Environments shown"))
        box.setToolTip(
            self.tr("One alone is drawn larger and more often. Click a tile to open it by itself.")
        )
        box.currentIndexChanged.connect(lambda: self.alone_changed.emit(box.currentData()))
        box.hide()
        return box

    def offer_environments(self, count: int) -> None:
        """Offer the choice between one and all where the process steps several."""
        self.environments.setItemText(0, self.tr("All {} environments").format(count))
        self.environments.setVisible(count > 1)

    def _menu_for_capture(self) -> None:
        menu = QtWidgets.QMenu(self.capture)
        menu.addAction(self.tr("Save picture (PNG)"), self.picture_requested.emit)
        menu.addSeparator()
        for label, suffix in FILMS:
            menu.addAction(self.tr(label)).triggered.connect(
                lambda _=False, suffix=suffix: self._begin_film(suffix)
            )
        self.capture.setMenu(menu)
        self.capture.setPopupMode(QtWidgets.QToolButton.ToolButtonPopupMode.InstantPopup)
        self.film = QtWidgets.QToolButton()
        self.film.setObjectName("bad")
        self.film.setText(self.tr("● Recording: stop and save"))
        self.film.clicked.connect(self.end_film)
        self.film.hide()

    def _lay_out(self) -> None:
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(10, 5, 10, 5)
        layout.setSpacing(6)
        label = QtWidgets.QLabel(self.tr("Render budget"))
        label.setObjectName("muted")
        for widget in (self.pause, self.speed):
            layout.addWidget(widget)
        layout.addSpacing(10)
        layout.addWidget(label)
        layout.addWidget(self.budget)
        layout.addSpacing(10)
        layout.addWidget(self.environments)
        layout.addStretch(1)
        for widget in (self.film, self.hud, self.capture, self.detach):
            layout.addWidget(widget)

    def _pace(self) -> None:
        paused = self.pause.isChecked()
        self._show_pause(paused)
        self.pace_changed.emit(paused, float(self.speed.currentData()))

    def show_pace(self, paused: bool, max_steps_per_s: float | None) -> None:
        """Show what holds for the run, whoever asked for it, telling nobody.

        max_steps_per_s: None leaves the chosen speed, which is the user's own.
        """
        with QtCore.QSignalBlocker(self.pause), QtCore.QSignalBlocker(self.speed):
            self.pause.setChecked(paused)
            rows = range(self.speed.count())
            fitting = [row for row in rows if self._rate(row) == max_steps_per_s]
            if fitting and self.speed.currentIndex() not in fitting:
                self.speed.setCurrentIndex(fitting[0])
        self._show_pause(paused)

    def _rate(self, row: int) -> float:
        value = float(self.speed.itemData(row))
        return self._own_pace if math.isnan(value) else value

    def _show_pause(self, paused: bool) -> None:
        self.pause.setIcon(icon("play" if paused else "pause", theme.current().text))
        self.pause.setToolTip(
            self.tr("Resume the training (Space)")
            if paused
            else self.tr("Pause the training (Space)")
        )

    def _begin_film(self, suffix: str) -> None:
        if not self._filming:
            self._filming = True
            self.film.show()
            self.film_toggled.emit(suffix)

    def end_film(self) -> None:
        """End the film that is being recorded, if one is."""
        if self._filming:
            self._filming = False
            self.film.hide()
            self.film_toggled.emit("")

    def show_hud_state(self, visible: bool) -> None:
        self.hud.setChecked(visible)

    def set_live(self, live: bool) -> None:
        """Enable what makes sense only while the run can be steered."""
        for widget in (self.pause, self.speed, self.budget):
            widget.setEnabled(live)
        if not live:
            self.end_film()

    def set_capture_enabled(self, enabled: bool) -> None:
        self.capture.setEnabled(enabled)

    def changeEvent(self, event: QtCore.QEvent) -> None:
        if event.type() == QtCore.QEvent.Type.PaletteChange and hasattr(self, "detach"):
            colour = theme.current().text
            self.pause.setIcon(icon("play" if self.pause.isChecked() else "pause", colour))
            for button, name in (
                (self.hud, "hud"),
                (self.capture, "camera"),
                (self.detach, "detach"),
            ):
                button.setIcon(icon(name, colour))
        super().changeEvent(event)
