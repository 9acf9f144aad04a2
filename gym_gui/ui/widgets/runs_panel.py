"""The left side of the window: search, state filter, the table of runs, undo of a deletion."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6 import QtCore, QtWidgets

from gym_gui.core.records import RunState
from gym_gui.ui.icons import icon
from gym_gui.ui.runs_model import AGE, COLUMNS, GROUPINGS, RunsModel

UNDO_MS = 8000
WIDTHS = (150, 108, 54, 56, 56, 58, 58, 74, 84, 70, 100, 100, 200)


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
        self._marked: list[str] = []  # all that are selected
        self._deleting: list[str] = []
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
        self.search.setPlaceholderText(self.tr("Search runs"))
        self.search.setAccessibleName(self.tr("Search runs"))
        self.search.setToolTip(self.tr("By name, environment, worker, group, tag, note or state"))
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
        self.grouping = QtWidgets.QComboBox()
        self.grouping.setAccessibleName(self.tr("Group the runs"))
        self.grouping.setToolTip(self.tr("Gather the runs"))
        self.grouping.addItem(self.tr("No groups"), "")
        for name in GROUPINGS:
            self.grouping.addItem(self.tr("By {}").format(self.tr(name)), name)
        self.grouping.currentIndexChanged.connect(
            lambda: self._model.set_grouping(self.grouping.currentData())
        )
        row = QtWidgets.QHBoxLayout()
        row.setContentsMargins(12, 4, 12, 8)
        row.setSpacing(8)
        row.addWidget(self.search, 1)
        row.addWidget(self.states)
        row.addWidget(self.grouping)
        return row

    def _make_table(self) -> QtWidgets.QTableView:
        table = QtWidgets.QTableView()
        table.setModel(self._model)
        table.setAccessibleName(self.tr("Runs"))
        table.setIconSize(QtCore.QSize(14, 14))
        table.setSelectionBehavior(QtWidgets.QTableView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QtWidgets.QTableView.SelectionMode.ExtendedSelection)
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.setTabKeyNavigation(False)
        table.setHorizontalScrollMode(QtWidgets.QTableView.ScrollMode.ScrollPerPixel)
        table.setContextMenuPolicy(QtCore.Qt.ContextMenuPolicy.CustomContextMenu)
        table.customContextMenuRequested.connect(self._show_menu)
        table.activated.connect(self._activate)
        table.clicked.connect(self._fold)
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
        table.selectionModel().selectionChanged.connect(self._mark)
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
        self._marked = [run_id]  # until it is shown; what was selected before no longer is
        row = self._model.row_of(run_id)
        if row >= 0:
            self.table.selectRow(row)

    def marked(self) -> list[str]:
        """Return every selected run that is shown, in the order of the rows; the chosen one last.

        Commands that make sense for many runs take all of these.
        """
        shown = [run_id for run_id in self._marked if self._model.row_of(run_id) >= 0]
        if self._chosen in shown:
            shown.remove(self._chosen)
        return [*shown, self._chosen] if self._chosen else shown

    def _mark(self) -> None:
        rows = sorted(index.row() for index in self.table.selectionModel().selectedRows())
        self._marked = [run_id for row in rows if (run_id := self._model.run_at(row))]

    def _select(self, current: QtCore.QModelIndex) -> None:
        if current.isValid() and self._model.run_at(current.row()):
            self._chosen = self._model.run_at(current.row())
            self.selection_changed.emit(self._chosen)

    def _activate(self, index: QtCore.QModelIndex) -> None:
        if not self._model.is_head(index.row()):
            self.activated.emit(self._model.run_at(index.row()))

    def _fold(self, index: QtCore.QModelIndex) -> None:
        if self._model.is_head(index.row()):
            self._model.toggle(index.row())

    def _restore_marks(self) -> None:
        """Select again what was selected before the rows were arranged anew."""
        kept, chosen = list(self._marked), self._chosen
        marked = [row for run in kept if (row := self._model.row_of(run)) >= 0]
        self.select(chosen)
        self._marked = kept
        flags = QtCore.QItemSelectionModel.SelectionFlag
        for row in marked:
            index = self._model.index(row, 0)
            self.table.selectionModel().select(index, flags.Select | flags.Rows)

    def _filter(self) -> None:
        self._model.set_filter(self.search.text(), self.states.currentData())

    def _after_reset(self) -> None:
        shown = self._model.rowCount() > 0
        waits = self.new.hasFocus() and self.table.isHidden()  # nothing was chosen yet
        self.table.setVisible(shown)
        if shown and waits:
            self.table.setFocus()  # the arrows choose a run from the start on
        self.empty.setVisible(not shown)
        if self._model.total:
            self.empty.setText(self.tr("No run matches the search and the state chosen above."))
        else:
            self.empty.setText(
                self.tr("No runs yet. Start one with New run, or drop a training script here.")
            )
        self._restore_marks()
        self.table.clearSpans()
        for row in self._model.heads():
            self.table.setSpan(row, 0, 1, 2)
        self._show_count()

    def _show_count(self) -> None:
        shown, total = self._model.shown, self._model.total
        part = self.tr("{:,} of {:,}").format(shown, total)
        self.count.setText(f"{total:,}" if shown == total else part)

    def _show_menu(self, at: QtCore.QPoint) -> None:
        index = self.table.indexAt(at)
        if index.isValid() and not self._model.is_head(index.row()):
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

    def delete_later(self, run_ids: Sequence[str], name: str) -> None:
        """Hide runs, and confirm their deletion when the time to undo is over.

        name: what is said to be deleted.
        """
        self.finish_deleting()
        self._deleting = list(run_ids)
        self._model.set_hidden(self._deleting, True)
        self.undo_text.setText(self.tr("{} is deleted.").format(name))
        self.undo_bar.show()
        self._undo_timer.start(UNDO_MS)

    def undo_deleting(self) -> None:
        run_ids, self._deleting = self._deleting, []
        self._undo_timer.stop()
        self.undo_bar.hide()
        if run_ids:
            self._model.set_hidden(run_ids, False)
            self.select(run_ids[-1])

    def finish_deleting(self) -> None:
        """Confirm a deletion that waits, now."""
        run_ids, self._deleting = self._deleting, []
        self._undo_timer.stop()
        self.undo_bar.hide()
        for run_id in run_ids:
            self.delete_confirmed.emit(run_id)
