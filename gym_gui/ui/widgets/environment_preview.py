"""A picture of the environment that is being chosen, drawn by the chosen interpreter."""

from __future__ import annotations

from PySide6 import QtCore, QtGui, QtWidgets

from gym_gui.controllers.background import Background
from gym_gui.services.workers.environments import Preview, preview

WIDTH = 220  # of the picture, in logical pixels


class EnvironmentPreview(QtWidgets.QLabel):
    """Shows the first frame of an environment; takes no room while there is none to show."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._background = Background(self)
        self._wanted: tuple[str, str] = ("", "")
        self.setFixedWidth(WIDTH)
        self.setWordWrap(True)
        self.setObjectName("muted")
        self.setAlignment(QtCore.Qt.AlignmentFlag.AlignTop | QtCore.Qt.AlignmentFlag.AlignHCenter)
        self.setAccessibleName(self.tr("Preview of the environment"))
        self.hide()

    def show_environment(self, python: str, env_id: str) -> None:
        """Draw ``env_id`` as ``python`` (an absolute path) has it; nothing for an empty id."""
        wanted = (python, env_id)
        self.setVisible(bool(env_id))
        if wanted == self._wanted or not env_id:
            return
        self._wanted = wanted
        self.setText(self.tr("Drawing {}…").format(env_id))
        self._background.run(
            lambda: preview(*wanted),
            done=lambda picture: self._draw(wanted, picture),
            failed=lambda error: self._none(wanted, error),
        )

    def close_background(self) -> None:
        """Wait for no more pictures. Twice is safe."""
        self._background.close()

    def _draw(self, wanted: tuple[str, str], picture: Preview) -> None:
        if wanted != self._wanted:
            return
        image = QtGui.QImage(
            picture.pixels,
            picture.width,
            picture.height,
            picture.width * 3,
            QtGui.QImage.Format.Format_RGB888,
        ).copy()  # owned: the bytes go away
        ratio = self.devicePixelRatioF()
        smooth = QtCore.Qt.TransformationMode.SmoothTransformation
        pixmap = QtGui.QPixmap.fromImage(image.scaledToWidth(round(WIDTH * ratio), smooth))
        pixmap.setDevicePixelRatio(ratio)
        self.setPixmap(pixmap)
        self.setToolTip(f"{wanted[1]}, {picture.width} × {picture.height}")

    def _none(self, wanted: tuple[str, str], error: Exception) -> None:
        if wanted == self._wanted:
            self.setText(self.tr("No picture: {} draws none here.").format(wanted[1]))
            self.setToolTip(str(error))
