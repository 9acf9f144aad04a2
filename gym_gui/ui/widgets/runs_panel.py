"""The left side of the window: search, state filter, the table of runs, undo of a deletion."""

from __future__ import annotations

from PySide6 import QtCore, QtWidgets

from gym_gui.core.records import RunState
from gym_gui.ui.icons import icon
from gym_gui.ui.runs_model import AGE, COLUMNS, RunsModel

UNDO_MS = 8000
WIDTHS = (122, 86, 52, 56, 52, 52, 50, 74, 84, 70)


class RunsPanel(QtWidgets.QFrame):
    """Emits what the user wants done with the chosen run; does none of it."""

    new_run_requested = QtCore.Signal()
    activated = QtCore.Signal(str)  # a double click or Enter: open its live tab
    selection_changed = QtCore.Signal(str)
    menu_requested = QtCore.Signal(str, QtCore.QPoint)  # run id, place on the screen
    delete_confirmed = QtCore.Signal(str)  # the time to undo is over

    def __init__(self, model: RunsModel, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self._model = model
        self._chosen = ""
        self._deleting = ""
        self._undo_timer = QtCore.QTimer(self)
        self._undo_timer.setSingleShot(True)
        self._undo_timer.timeout.connect(self.finish_deleting)
        self.table = self._make_table()
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(self._head())
        layout.addLayout(self._filters())
        layout.addWidget(self.table, 1)
        self.empty = self._empty_text()
        layout.addWidget(self.empty, 1)
        layout.addWidget(self._undo_bar())
        model.modelReset.connect(self._after_reset)
        model.dataChanged.connect(self._show_count)
        self._after_reset()

    # -- parts ----------------------------------------------------------------------------------

    def _head(self) -> QtWidgets.QHBoxLayout:
        title = QtWidgets.QLabel(self.tr("Runs"))
        title.setObjectName("panelTitle")
        self.count = QtWidgets.QLabel()
        self.count.setObjectName("muted")
        self.new = new = QtWidgets.QPushButton(self.tr("New run"))
        new.setProperty("primary", True)
        new.setIcon(icon("plus", "on_accent"))
        new.setToolTip(self.tr("Start a training run (Ctrl+N)"))
        new.clicked.connect(self.new_run_requested)
        row = QtWidgets.QHBoxLayout()
        row.setContentsMargins(14, 10, 12, 4)
        row.addWidget(title)
        row.addSpacing(6)
        row.addWidget(self.count)
        row.addStretch(1)
        row.addWidget(new)
        return row

    def _filters(self) -> QtWidgets.QHBoxLayout:
        self.search = QtWidgets.QLineEdit()
        self.search.setPlaceholderText(self.tr("Search name, environment, worker, tag…"))
        self.search.setAccessibleName(self.tr("Search runs"))
        self.search.setClearButtonEnabled(True)
        self.search.addAction(
            icon("search", "muted"),
            QtWidgets.QLineEdit.ActionPosition.LeadingPosition,
        )
        self.search.textChanged.connect(self._filter)
        self.states = QtWidgets.QComboBox()
        self.states.setAccessibleName(self.tr("State"))
        self.states.addItem(self.tr("All states"), "")
        for state in RunState:
            self.states.addItem(self.tr(state.value.capitalize()), state.value)
        self.states.currentIndexChanged.connect(self._filter)
        row = QtWidgets.QHBoxLayout()
        row.setContentsMargins(12, 4, 12, 8)
        row.setSpacing(8)
        row.addWidget(self.search, 1)
        row.addWidget(self.states)
        return row

    def _make_table(self) -> QtWidgets.QTableView:
        table = QtWidgets.QTableView()
        table.setModel(self._model)
        table.setAccessibleName(self.tr("Runs"))
        table.setIconSize(QtCore.QSize(14, 14))
        table.setSelectionBehavior(QtWidgets.QTableView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QtWidgets.QTableView.SelectionMode.SingleSelection)
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.setTabKeyNavigation(False)
        table.setHorizontalScrollMode(QtWidgets.QTableView.ScrollMode.ScrollPerPixel)
        table.setContextMenuPolicy(QtCore.Qt.ContextMenuPolicy.CustomContextMenu)
        table.customContextMenuRequested.connect(self._show_menu)
        table.activated.connect(lambda index: self.activated.emit(self._model.run_at(index.row())))
        rows = table.verticalHeader()
        rows.hide()
        rows.setDefaultSectionSize(30)
        rows.setMinimumSectionSize(30)
        head = table.horizontalHeader()
        head.setHighlightSections(False)
        head.setSectionsMovable(True)
        head.setContextMenuPolicy(QtCore.Qt.ContextMenuPolicy.CustomContextMenu)
        head.customContextMenuRequested.connect(self._show_columns_menu)
        for column, width in enumerate(WIDTHS):
            table.setColumnWidth(column, width)
        table.sortByColumn(AGE, QtCore.Qt.SortOrder.AscendingOrder)
        table.setSortingEnabled(True)
        table.selectionModel().currentRowChanged.connect(self._select)
        return table

    def _empty_text(self) -> QtWidgets.QLabel:
        label = QtWidgets.QLabel()
        label.setObjectName("muted")
        label.setAlignment(QtCore.Qt.AlignmentFlag.AlignCenter)
        label.setWordWrap(True)
        label.setMargin(28)
        return label

    def _undo_bar(self) -> QtWidgets.QFrame:
        self.undo_bar = QtWidgets.QFrame()
        self.undo_bar.setObjectName("strip")
        self.undo_text = QtWidgets.QLabel()
        undo = QtWidgets.QPushButton(self.tr("Undo"))
        undo.clicked.connect(self.undo_deleting)
        row = QtWidgets.QHBoxLayout(self.undo_bar)
        row.setContentsMargins(12, 6, 12, 6)
        row.addWidget(self.undo_text, 1)
        row.addWidget(undo)
        self.undo_bar.hide()
        return self.undo_bar

    # -- behaviour ------------------------------------------------------------------------------

    @property
    def selected(self) -> str:
        return self._chosen

    def select(self, run_id: str) -> None:
        """Choose a run in the table, now or as soon as it is shown."""
        self._chosen = run_id
        row = self._model.row_of(run_id)
        if row >= 0:
            self.table.selectRow(row)

    def _select(self, current: QtCore.QModelIndex) -> None:
        if current.isValid():
            self._chosen = self._model.run_at(current.row())
            self.selection_changed.emit(self._chosen)

    def _filter(self) -> None:
        self._model.set_filter(self.search.text(), self.states.currentData())

    def _after_reset(self) -> None:
        shown = self._model.rowCount() > 0
        self.table.setVisible(shown)
        self.empty.setVisible(not shown)
        if self._model.total:
            self.empty.setText(self.tr("No run matches."))
        else:
            self.empty.setText(
                self.tr("No runs yet. Start one with New run, or drop a training script here.")
            )
        self.select(self._chosen)
        self._show_count()

    def _show_count(self) -> None:
        shown, total = self._model.rowCount(), self._model.total
        self.count.setText(f"{total:,}" if shown == total else f"{shown:,} of {total:,}")

    def _show_menu(self, at: QtCore.QPoint) -> None:
        index = self.table.indexAt(at)
        if index.isValid():
            place = self.table.viewport().mapToGlobal(at)
            self.menu_requested.emit(self._model.run_at(index.row()), place)

    def _show_columns_menu(self, at: QtCore.QPoint) -> None:
        menu = QtWidgets.QMenu(self)
        menu.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        for column, (title, *_) in enumerate(COLUMNS[1:], start=1):
            action = menu.addAction(self.tr(title))
            action.setCheckable(True)
            action.setChecked(not self.table.isColumnHidden(column))
            action.toggled.connect(
                lambda shown, column=column: self.table.setColumnHidden(column, not shown)
            )
        menu.popup(self.table.horizontalHeader().mapToGlobal(at))

    # -- deleting, with undo --------------------------------------------------------------------

    def delete_later(self, run_id: str, name: str) -> None:
        """Hide a run, and confirm its deletion when the time to undo is over."""
        self.finish_deleting()
        self._deleting = run_id
        self._model.set_hidden(run_id, True)
        self.undo_text.setText(self.tr("{} is deleted.").format(name))
        self.undo_bar.show()
        self._undo_timer.start(UNDO_MS)

    def undo_deleting(self) -> None:
        run_id, self._deleting = self._deleting, ""
        self._undo_timer.stop()
        self.undo_bar.hide()
        if run_id:
            self._model.set_hidden(run_id, False)
            self.select(run_id)

    def finish_deleting(self) -> None:
        """Confirm a deletion that waits, now."""
        run_id, self._deleting = self._deleting, ""
        self._undo_timer.stop()
        self.undo_bar.hide()
        if run_id:
            self.delete_confirmed.emit(run_id)
