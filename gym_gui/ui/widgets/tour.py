"""The first-run tour: a few cards, each beside the part of the window that it explains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6 import QtCore, QtGui, QtWidgets

from gym_gui.ui import theme

CARD_WIDTH = 340
GAP = 14


@dataclass(frozen=True)
class Stop:
    """One card. part: what it is about, None for the whole window."""

    part: QtWidgets.QWidget | None
    title: str
    text: str


class Tour(QtWidgets.QWidget):
    """Lies over the window until its end; ``ended`` once, whether finished or left."""

    ended = QtCore.Signal()

    def __init__(self, window: QtWidgets.QWidget, stops: Sequence[Stop]) -> None:
        super().__init__(window)
        self._stops = list(stops)
        self._at = 0
        self._window = window
        self.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setFocusPolicy(QtCore.Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(self.tr("Tour of the window"))
        self._build_card()
        window.installEventFilter(self)
        self.setGeometry(window.rect())
        self.show()
        self.raise_()
        self.next.setFocus()
        self._show_stop()

    def _build_card(self) -> None:
        self.card = QtWidgets.QFrame(self)
        self.card.setObjectName("tourCard")
        self.card.setFixedWidth(CARD_WIDTH)
        self.title = QtWidgets.QLabel()
        self.title.setObjectName("panelTitle")
        self.text = QtWidgets.QLabel()
        self.text.setWordWrap(True)
        self.count = QtWidgets.QLabel()
        self.count.setObjectName("muted")
        self.skip = QtWidgets.QPushButton(self.tr("Skip"))
        self.skip.clicked.connect(self.close)
        self.back = QtWidgets.QPushButton(self.tr("Back"))
        self.back.clicked.connect(lambda: self._go(-1))
        self.next = QtWidgets.QPushButton()
        self.next.setProperty("primary", True)
        self.next.clicked.connect(lambda: self._go(1))
        row = QtWidgets.QHBoxLayout()
        row.addWidget(self.count)
        row.addStretch(1)
        for button in (self.skip, self.back, self.next):
            row.addWidget(button)
        column = self._words = QtWidgets.QVBoxLayout(self.card)
        column.setContentsMargins(18, 14, 18, 14)
        column.setSpacing(8)
        column.addWidget(self.title)
        column.addWidget(self.text)
        column.addSpacing(4)
        column.addLayout(row)

    def _go(self, step: int) -> None:
        self._at += step
        if self._at >= len(self._stops):
            self.close()
        else:
            self._at = max(0, self._at)
            self._show_stop()

    def _show_stop(self) -> None:
        stop = self._stops[self._at]
        is_last = self._at == len(self._stops) - 1
        self.title.setText(stop.title)
        self.text.setText(stop.text)
        self.count.setText(f"{self._at + 1}/{len(self._stops)}")
        self.back.setVisible(self._at > 0)
        self.skip.setVisible(not is_last)
        self.next.setText(self.tr("Done") if is_last else self.tr("Next"))
        self.card.setAccessibleName(f"{stop.title}. {stop.text}")
        self._place()
        self.update()

    def _lit(self) -> QtCore.QRect:
        """Return the explained part's place, empty for the whole window."""
        part = self._stops[self._at].part
        if part is None or not part.isVisible():
            return QtCore.QRect()
        corner = part.mapTo(self._window, QtCore.QPoint(0, 0))
        return QtCore.QRect(corner, part.size()).adjusted(-4, -4, 4, 4).intersected(self.rect())

    def _place(self) -> None:
        self._words.activate()
        self.card.resize(CARD_WIDTH, self._words.totalHeightForWidth(CARD_WIDTH))
        lit = self._lit()
        if lit.isEmpty():
            self.card.move(self.rect().center() - self.card.rect().center())
            return
        x, y = lit.right() + GAP, lit.top() + GAP
        if x + CARD_WIDTH > self.width():
            x = lit.left() - CARD_WIDTH - GAP
        if x < 0:  # no room beside it: above or below
            x = min(lit.left(), self.width() - CARD_WIDTH - GAP)
            below = lit.bottom() + GAP
            fits = below + self.card.height() < self.height()
            y = below if fits else lit.top() - GAP - self.card.height()
        y = max(GAP, min(y, self.height() - self.card.height() - GAP))
        self.card.move(max(GAP, x), y)

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        painter = QtGui.QPainter(self)
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        shade = QtGui.QPainterPath()
        shade.addRect(QtCore.QRectF(self.rect()))
        lit = self._lit()
        if not lit.isEmpty():
            hole = QtGui.QPainterPath()
            hole.addRoundedRect(QtCore.QRectF(lit), 8, 8)
            shade -= hole
        painter.fillPath(shade, QtGui.QColor(0, 0, 0, 140))
        if not lit.isEmpty():
            painter.setPen(QtGui.QPen(QtGui.QColor(theme.current().accent), 2))
            painter.drawRoundedRect(QtCore.QRectF(lit), 8, 8)

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        keys = QtCore.Qt.Key
        step = {keys.Key_Right: 1, keys.Key_Return: 1, keys.Key_Left: -1}.get(event.key())  # type: ignore[call-overload]
        if event.key() == keys.Key_Escape:
            self.close()
        elif step:
            self._go(step)
        else:
            super().keyPressEvent(event)

    def eventFilter(self, watched: QtCore.QObject, event: QtCore.QEvent) -> bool:
        if event.type() == QtCore.QEvent.Type.Resize:
            self.setGeometry(self._window.rect())
            self._place()
        return super().eventFilter(watched, event)

    def closeEvent(self, event: QtGui.QCloseEvent) -> None:
        self._window.removeEventFilter(self)
        self.ended.emit()
        super().closeEvent(event)
