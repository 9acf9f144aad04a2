// Crosses the frozen lake on a remembered way, and looks for another where the way ends.
// Beliefs from the world: position(Row, Col), size(Rows, Cols), hole(R, C), goal(R, C),
// running, over, reward(R), episode(N). Actions: .act(left|down|right|up), .next_episode.

free(R, C) :- size(H, W) & R >= 0 & C >= 0 & R < H & C < W & not hole(R, C) & not visited(R, C).

!play.

+!play <-
    .next_episode;
    .abolish(visited(_, _));
    .abolish(way(_, _, _));
    !!walk.

+!walk : over & reward(1) <- !!play.
+!walk : over <- !!play.
+!walk : position(R, C) & free(R, C + 1) <- !go(right, R, C, left).
+!walk : position(R, C) & free(R + 1, C) <- !go(down, R, C, up).
+!walk : position(R, C) & free(R, C - 1) <- !go(left, R, C, right).
+!walk : position(R, C) & free(R - 1, C) <- !go(up, R, C, down).
+!walk : position(R, C) & way(R, C, Back) <-
    -way(R, C, Back);
    +visited(R, C);
    .act(Back);
    !!walk.
// Slipped off the remembered way: forget it and look again from here.
+!walk <- .abolish(visited(_, _)); .abolish(way(_, _, _)); !!walk.

+!go(Action, R, C, Back) <-
    +visited(R, C);
    .act(Action);
    !remember(Back);
    !!walk.

+!remember(Back) : position(R, C) & not way(R, C, _) <- +way(R, C, Back).
+!remember(Back).
