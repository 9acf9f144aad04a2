// Fetches the key, opens the door and walks to the goal of MiniGrid's DoorKey.
// Beliefs from the world: at(X, Y), facing(D) (0 east, 1 south, 2 west, 3 north), ahead(Thing),
// carrying(Thing), thing(Thing, X, Y), door(State, X, Y), running, over, reward(R).
// Actions: turn_left, turn_right, forward, pick_up, drop, toggle; .next_episode.

blocked(1) :- at(X, Y) & thing(key, X, Y + 1) & not carrying(nothing).
blocked(3) :- at(X, Y) & thing(key, X, Y - 1) & not carrying(nothing).

!play.

+!play <- .next_episode; !!pursue.

// What to do next follows from what is so, never from what was planned before.
+!pursue : over <- !!play.
+!pursue : carrying(nothing) & ahead(key) <- .act(pick_up); !!pursue.
+!pursue : carrying(nothing) & door(locked, _, _) & thing(key, X, Y) <- !toward(X, Y); !!pursue.
+!pursue : ahead(door) & door(locked, _, _) <- .act(toggle); !!pursue.
+!pursue : door(locked, X, Y) <- !toward(X, Y); !!pursue.
+!pursue : door(open, X, Y) & at(AX, _) & AX < X & not at(_, Y) <- !toward_row(Y); !!pursue.
+!pursue : thing(goal, X, Y) & door(open, DX, DY) & at(AX, _) & AX <= DX <- !toward(DX + 1, DY); !!pursue.
+!pursue : thing(goal, X, Y) <- !toward(X, Y); !!pursue.

// One step toward a place: first along the row, then along the column.
+!toward(X, Y) : at(AX, Y) & AX < X <- !head(0).
+!toward(X, Y) : at(AX, Y) & AX > X <- !head(2).
+!toward(X, Y) : at(_, AY) & AY < Y & not blocked(1) <- !head(1).
+!toward(X, Y) : at(_, AY) & AY > Y & not blocked(3) <- !head(3).
+!toward(X, Y) : at(AX, _) & AX < X <- !head(0).
+!toward(X, Y) : at(AX, _) & AX > X <- !head(2).

+!toward_row(Y) : at(_, AY) & AY < Y <- !head(1).
+!toward_row(Y) : at(_, AY) & AY > Y <- !head(3).

+!head(D) : facing(D) <- .act(forward).
+!head(D) : facing(F) & D == (F + 1) mod 4 <- .act(turn_right).
+!head(D) <- .act(turn_left).
