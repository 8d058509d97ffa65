"""The figures' style and drawings: what a reader sees is what was given."""

import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib import colors
from matplotlib.figure import Figure

import softmax_gradients as sg

JACOBIAN = sg.softmax_jacobian([2.0, 0.5, -1.0, 1.2], temperature=2.0)


@pytest.fixture
def axes():
    return Figure().subplots()


def printed(axes):
    return [text.get_text() for text in axes.texts]


def luminance(colour):
    channels = np.array(colors.to_rgba(colour)[:3])
    low = channels <= 0.04045
    linear = np.where(low, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def contrast(one, other):
    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


@pytest.fixture
def book_style():
    with matplotlib.rc_context():
        sg.plots.use_book_style()
        yield matplotlib.rcParams


def test_style_draws_on_nothing(book_style):
    figure = Figure()
    axes = figure.subplots()
    assert figure.get_facecolor()[3] == 0
    assert axes.get_facecolor()[3] == 0
    assert book_style["savefig.facecolor"] == "auto"


def test_style_is_sharp_and_large_enough(book_style):
    assert book_style["figure.dpi"] >= 150
    assert book_style["savefig.dpi"] >= 150
    assert book_style["font.size"] >= 10
    assert book_style["xtick.labelsize"] >= 10


def test_style_lays_out_by_itself_and_draws_two_spines(book_style):
    assert book_style["figure.constrained_layout.use"] is True
    spines = {side: book_style[f"axes.spines.{side}"] for side in ("top", "right")}
    assert spines == {"top": False, "right": False}
    assert book_style["axes.spines.left"]
    assert book_style["axes.spines.bottom"]


def test_colour_cycle_starts_right_and_never_says_wrong(book_style):
    cycle = [colors.to_hex(c) for c in book_style["axes.prop_cycle"].by_key()["color"]]
    assert cycle[0] == sg.plots.RIGHT.lower()
    assert sg.plots.WRONG.lower() not in cycle
    okabe_ito = "#000000 #e69f00 #56b4e9 #009e73 #f0e442 #0072b2 #d55e00 #cc79a7"
    assert set(cycle) <= set(okabe_ito.split())
    assert len(set(cycle)) == len(cycle)


def test_style_can_be_named_as_part_of_the_package(book_style):
    by_function = dict(book_style)
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.style.use("softmax_gradients.book")
        different = [
            name
            for name in ("font.size", "figure.dpi", "axes.prop_cycle", "figure.figsize")
            if matplotlib.rcParams[name] != by_function[name]
        ]
    assert different == []


def test_right_wrong_and_neutral_can_be_read_on_white():
    # 4.5 is asked of text, 3 of large text and of lines.
    assert contrast(sg.plots.RIGHT, "white") >= 4.5
    assert contrast(sg.plots.WRONG, "white") >= 3
    assert contrast(sg.plots.NEUTRAL, "white") >= 4.5
    assert contrast(sg.plots.NEUTRAL, "white") > contrast(
        sg.plots.NEUTRAL_LIGHT, "white"
    )


def test_package_imports_matplotlib_on_first_use_only():
    script = (
        "import sys, softmax_gradients as sg; before = 'matplotlib' in sys.modules; "
        "sg.plots; print(before, 'matplotlib' in sys.modules)"
    )
    run = [sys.executable, "-c", script]
    output = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert output.split() == ["False", "True"]


def test_matrix_prints_each_rounded_number_in_its_cell(axes):
    matrix = np.array([[0.25, -0.126], [-0.004, 1.0], [0.0, 2.5]])
    sg.plots.draw_matrix(axes, matrix)
    minus = "\N{MINUS SIGN}"
    assert printed(axes) == ["0.25", f"{minus}0.13", "0.00", "1.00", "0.00", "2.50"]
    positions = [text.get_position() for text in axes.texts]
    assert positions == [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2)]


def test_matrix_digits_can_be_chosen(axes):
    sg.plots.draw_matrix(axes, [[1, -2]], decimals=0)
    assert printed(axes) == ["1", "\N{MINUS SIGN}2"]


def test_zero_has_the_middle_colour_however_uneven_the_matrix(axes):
    image = sg.plots.draw_matrix(axes, [[0.0, 3.0], [-0.5, 0.1]])
    assert image.get_clim() == (-3.0, 3.0)
    assert image.norm(0.0) == 0.5
    assert image.to_rgba(0.0) == image.get_cmap()(0.5)
    red, green, blue, _ = image.to_rgba(0.0)
    assert max(red, green, blue) - min(red, green, blue) < 0.02


def test_sign_is_the_hue_and_size_the_strength(axes):
    image = sg.plots.draw_matrix(axes, JACOBIAN)
    _, positive_green, _, _ = image.to_rgba(JACOBIAN.max())
    negative_red, negative_green, negative_blue, _ = image.to_rgba(-JACOBIAN.max())
    assert positive_green > negative_green
    assert min(negative_red, negative_blue) > negative_green
    assert luminance(image.to_rgba(0.0)) > luminance(image.to_rgba(JACOBIAN.max() / 2))


def test_two_maps_share_a_limit(axes):
    image = sg.plots.draw_matrix(axes, [[0.1]], limit=0.4)
    assert image.get_clim() == (-0.4, 0.4)


def test_a_matrix_of_zeros_is_drawn_in_the_middle_colour(axes):
    image = sg.plots.draw_matrix(axes, np.zeros((2, 2)))
    assert image.get_clim() == (-1.0, 1.0)


def test_numbers_are_written_in_the_colour_of_higher_contrast(axes):
    values = np.linspace(-1, 1, 21)
    image = sg.plots.draw_matrix(axes, values[np.newaxis])
    chosen = [text.get_color() for text in axes.texts]
    for value, colour in zip(values, chosen, strict=True):
        cell = image.to_rgba(value)
        assert contrast(cell, colour) == max(
            contrast(cell, "black"), contrast(cell, "white")
        )
        assert contrast(cell, colour) >= 4.5
    # White at both ends, black in the middle.
    assert (chosen[0], chosen[10], chosen[-1]) == ("white", "black", "white")


def test_labels_stand_beside_their_rows_and_columns(axes):
    sg.plots.draw_matrix(
        axes, [[1, 2, 3], [4, 5, 6]], row_labels="ab", column_labels=("u", "v", "w")
    )
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["u", "v", "w"]
    assert list(axes.get_yticks()) == [0, 1]


def test_no_labels_no_ticks(axes):
    sg.plots.draw_matrix(axes, [[1.0, 2.0]])
    assert list(axes.get_xticks()) == []
    assert list(axes.get_yticks()) == []


@pytest.mark.parametrize(
    ("matrix", "options", "message"),
    [
        ([1.0, 2.0], {}, r"matrix must be .* shape \(2,\)"),
        (np.empty((0, 3)), {}, r"matrix must be a non-empty .* shape \(0, 3\)"),
        ([[1j]], {}, "matrix must be .* real numbers, got an array of complex128"),
        ([["a"]], {}, "matrix must be .* real numbers"),
        ([[np.nan]], {}, "matrix must be finite"),
        ([[np.inf]], {}, "matrix must be finite"),
        ([[1.0]], {"limit": 0.0}, "limit must be positive and finite, got 0.0"),
        ([[1.0]], {"limit": np.nan}, "limit must be positive and finite, got nan"),
        ([[1.0]], {"limit": np.inf}, "limit must be positive and finite, got inf"),
        ([[1.0]], {"decimals": -1}, "decimals must not be negative, got -1"),
        ([[1.0]], {"row_labels": "ab"}, "row_labels must be 1 labels, got 'ab'"),
        ([[1.0]], {"column_labels": []}, r"column_labels must be 1 labels, got \[\]"),
    ],
)
def test_matrix_refuses_bad_input_before_it_draws(axes, matrix, options, message):
    with pytest.raises(ValueError, match=message):
        sg.plots.draw_matrix(axes, matrix, **options)
    assert list(axes.images) == []
    assert printed(axes) == []


@pytest.mark.parametrize(
    ("at", "point"),
    [(None, (4.0, 16.0)), (2.4, (2.0, 4.0)), (-9.0, (0.0, 0.0)), (9.0, (4.0, 16.0))],
)
def test_label_stands_at_the_nearest_point_of_the_line(axes, at, point):
    (line,) = axes.plot([0.0, 1.0, 2.0, 4.0], [0.0, 1.0, 4.0, 16.0])
    label = sg.plots.label_line(axes, line, "square", at=at, offset=(3.0, 5.0))
    assert label.xy == point
    assert label.get_text() == "square"
    assert label.get_position() == (3.0, 5.0)


def test_label_has_the_colour_of_its_line(axes):
    (line,) = axes.plot([0.0, 1.0], [0.0, 1.0], color=sg.plots.WRONG)
    assert sg.plots.label_line(axes, line, "wrong").get_color() == sg.plots.WRONG


def test_label_refuses_an_empty_line_or_text(axes):
    (line,) = axes.plot([], [])
    with pytest.raises(ValueError, match="line must have at least one point"):
        sg.plots.label_line(axes, line, "nothing")
    (line,) = axes.plot([0.0, 1.0], [0.0, 1.0])
    with pytest.raises(ValueError, match="text must not be empty, got ''"):
        sg.plots.label_line(axes, line, "")
    assert printed(axes) == []


EXAMPLE = np.log([1.0, 2.0, 3.0])
TEACHER = np.log([2.0, 1.0, 1.0])
SOFT = np.array([0.5, 0.3, 0.2])
PICTURES = {
    "tug": lambda figure: sg.plots.draw_tug_of_war(figure, EXAMPLE, SOFT),
    "steps": lambda figure: sg.plots.draw_softmax_steps(figure, EXAMPLE),
    "rising": lambda figure: sg.plots.draw_rising_logit(figure, EXAMPLE, raised=2),
    "surface": lambda figure: sg.plots.draw_softmax_surface(figure),
    "descent": lambda figure: sg.plots.draw_descent(figure, EXAMPLE, SOFT),
    "raised": lambda figure: sg.plots.draw_raised_logit(figure, EXAMPLE, raised=2),
    "terms": lambda figure: sg.plots.draw_chain_rule_terms(figure, EXAMPLE, SOFT),
    "temperature": lambda figure: sg.plots.draw_temperature(
        figure, EXAMPLE, SOFT, temperature=0.5
    ),
    "limit": lambda figure: sg.plots.draw_high_temperature_limit(
        figure, EXAMPLE, TEACHER
    ),
}


def heights(axes):
    return np.array([bar.get_height() for bar in axes.patches])


def arrows(axes):
    """Give the tail and the head of each arrow, as heights, by class."""
    return {
        round(note.xy[0]): (note.xyann[1], note.xy[1])
        for note in axes.texts
        if note.get_text() == "" and hasattr(note, "xyann")
    }


@pytest.mark.parametrize("draw", PICTURES.values(), ids=PICTURES)
def test_a_picture_is_drawn_on_nothing_and_nothing_is_cut(book_style, draw):
    figure = Figure(figsize=(6.5, 2.9))
    draw(figure)
    assert figure.get_facecolor()[3] == 0
    assert all(axes.get_facecolor()[3] == 0 for axes in figure.axes)
    figure.draw_without_rendering()
    for axes in figure.axes:
        for text in [*axes.texts, axes.title, axes.xaxis.label, axes.yaxis.label]:
            if not text.get_text():
                continue
            box = text.get_window_extent()
            assert box.x0 >= 0, text
            assert box.y0 >= 0, text
            assert box.x1 <= figure.bbox.x1, text
            assert box.y1 <= figure.bbox.y1, text


def test_tug_of_war_has_the_forces_of_the_example(book_style):
    logits, shares, forces = sg.plots.draw_tug_of_war(Figure(), EXAMPLE, 0)
    np.testing.assert_allclose(heights(logits), EXAMPLE)
    np.testing.assert_allclose(6 * heights(shares), [1, 2, 3, 6, 0, 0])
    np.testing.assert_allclose(6 * heights(forces), [-5, 2, 3])
    tails, heads = np.transpose([arrows(logits)[index] for index in range(3)])
    np.testing.assert_allclose(tails, EXAMPLE)
    # A step goes against the gradient.
    pushes = heads - tails
    np.testing.assert_allclose(pushes / pushes[0], [1, -2 / 5, -3 / 5])
    assert pushes[0] > 0


def test_soft_targets_balance_the_forces_too():
    _, shares, forces = sg.plots.draw_tug_of_war(Figure(), EXAMPLE, SOFT)
    np.testing.assert_allclose(heights(shares)[3:], SOFT)
    np.testing.assert_allclose(heights(forces), [1 / 6 - 0.5, 1 / 3 - 0.3, 0.3])


def test_where_there_is_no_force_there_is_no_arrow():
    logits, _, _ = sg.plots.draw_tug_of_war(Figure(), np.zeros(2), np.full(2, 0.5))
    assert arrows(logits) == {}


def test_a_raised_logit_moves_the_others_in_proportion(book_style):
    logits, shares, matrix = sg.plots.draw_raised_logit(Figure(), EXAMPLE, raised=2)
    assert list(arrows(logits)) == [2]
    changes = np.array([head - tail for tail, head in arrows(shares).values()])
    np.testing.assert_allclose(changes / changes[2], [-3 / 9, -6 / 9, 1])
    assert changes[2] > 0
    assert printed(matrix)[:3] == [
        "0.14",
        "\N{MINUS SIGN}0.06",
        "\N{MINUS SIGN}0.08",
    ]
    (frame,) = matrix.patches
    assert frame.get_x() == pytest.approx(1.53)
    assert frame.get_height() == pytest.approx(2.94)


def test_exponentials_become_probabilities_in_proportion(book_style):
    logits, weights, shares = sg.plots.draw_softmax_steps(Figure(), EXAMPLE)
    np.testing.assert_allclose(heights(logits), EXAMPLE)
    np.testing.assert_allclose(heights(weights), [1, 2, 3])
    np.testing.assert_allclose(6 * heights(shares), [1, 2, 3])
    assert weights.get_title().endswith("sum 6.00")
    # Only the scale changes, so the bars look alike.
    assert weights.get_ylim()[1] == pytest.approx(6 * shares.get_ylim()[1])


def test_negative_logits_have_room_below():
    logits, _, _ = sg.plots.draw_softmax_steps(Figure(), [-2.0, 1.0])
    assert logits.get_ylim()[0] < -2.0


def test_one_rising_logit_leaves_the_others_their_ratio(book_style):
    axes = sg.plots.draw_rising_logit(Figure(), EXAMPLE, raised=2, reach=5.0)
    first, second, third = (line.get_ydata() for line in axes.lines[::2])
    np.testing.assert_allclose(second / first, 2.0)
    np.testing.assert_allclose(first + second + third, 1.0)
    assert third[0] < 0.01 < 0.99 < third[-1]
    dots = [line.get_xydata()[0] for line in axes.lines[1::2]]
    np.testing.assert_allclose(dots, [[np.log(3), i / 6] for i in (1, 2, 3)])
    ends = axes.lines[0].get_xdata()[[0, -1]]
    np.testing.assert_allclose(ends, np.log(3) + np.array([-5, 5]))


def test_surface_is_the_first_probability():
    axes = sg.plots.draw_softmax_surface(Figure(), reach=4.0)
    (surface,) = axes.collections
    corners = surface._faces.reshape(-1, 3)
    x, y, height = corners[np.argmax(corners[:, 0] - corners[:, 1])]
    assert (x, y) == (4.0, -4.0)
    assert height == pytest.approx(np.exp(4) / (np.exp(4) + np.exp(-4) + 1))
    middle = np.abs(corners[:, :2]).max(axis=1) < 1e-9
    np.testing.assert_allclose(corners[middle, 2], 1 / 3)
    assert axes.get_xlim()[0] <= -4
    assert axes.get_xlim()[1] >= 4


def place(probs):
    """Give the point of the triangle: classes left, right and above."""
    _, q1, q2 = probs
    return [q1 + q2 / 2, np.sqrt(3) / 2 * q2]


def test_descent_ends_at_the_targets_with_the_right_gradient_only(book_style):
    t = np.array([0.2, 0.5, 0.3])
    right, wrong = sg.plots.draw_descent(Figure(), EXAMPLE, t)
    # The formula of exercise 2 of the summation mistake.
    rest = 1 - 2 / (t * (1 / t).sum())
    for axes, end, colour in [
        (right, t, sg.plots.RIGHT),
        (wrong, rest, sg.plots.WRONG),
    ]:
        _, path, first, last, cross = axes.lines
        np.testing.assert_allclose(first.get_xydata(), [place(np.array([1, 2, 3]) / 6)])
        np.testing.assert_allclose(last.get_xydata(), [place(end)], atol=1e-4)
        np.testing.assert_allclose(cross.get_xydata(), [place(t)])
        np.testing.assert_allclose(path.get_xydata()[0], first.get_xydata()[0])
        assert path.get_color() == last.get_color() == colour


def test_arrows_of_the_descent_point_where_a_step_leads():
    right, wrong = sg.plots.draw_descent(Figure(), EXAMPLE, SOFT)
    for axes, gradient in [
        (right, lambda q: q - SOFT),
        (wrong, lambda q: -SOFT * (1 - q)),
    ]:
        (arrows,) = axes.collections
        assert len(arrows.U) == 55
        for q in ([2, 3, 7], [8, 1, 3]):
            z = np.log(np.array(q) / 12)
            here, there = sg.softmax(z), sg.softmax(z - 1e-6 * gradient(sg.softmax(z)))
            move = np.array(place(there)) - place(here)
            index = np.argmin(np.hypot(*(arrows.XY - place(here)).T))
            drawn = np.array([arrows.U[index], arrows.V[index]])
            np.testing.assert_allclose(drawn, move / np.hypot(*move), atol=1e-5)


def test_no_arrow_where_the_descent_rests():
    right, _ = sg.plots.draw_descent(Figure(), EXAMPLE, np.full(3, 1 / 3))
    (arrows,) = right.collections
    at_rest = np.argmin(np.hypot(*(arrows.XY - place(np.full(3, 1 / 3))).T))
    assert arrows.U[at_rest] == arrows.V[at_rest] == 0


def test_terms_of_the_chain_rule_with_sums_and_diagonal(book_style):
    axes = sg.plots.draw_chain_rule_terms(Figure(), EXAMPLE, SOFT)
    q = np.array([1, 2, 3]) / 6
    terms = (-SOFT / q)[:, np.newaxis] * sg.softmax_jacobian(EXAMPLE)
    (image,) = axes.images
    np.testing.assert_allclose(image.get_array(), terms, atol=1e-16)
    numbers = [text.replace("\N{MINUS SIGN}", "-") for text in printed(axes)[9:]]
    assert numbers[0] == "columns added"
    np.testing.assert_allclose([float(x) for x in numbers[1:4]], q - SOFT, atol=5e-3)
    assert numbers[4] == "diagonal only"
    wrong = [float(x) for x in numbers[5:]]
    np.testing.assert_allclose(wrong, -SOFT * (1 - q), atol=5.1e-3)
    corners = [frame.get_xy() for frame in axes.patches]
    np.testing.assert_allclose(corners, [[-0.47] * 2, [0.53] * 2, [1.53] * 2])


def test_temperature_stands_beside_none(book_style):
    shares, both = sg.plots.draw_temperature(Figure(), EXAMPLE, SOFT, temperature=0.5)
    q = np.array([1, 4, 9]) / 14
    np.testing.assert_allclose(heights(shares), [*q, *SOFT])
    np.testing.assert_allclose(heights(both), [*(2 * (q - SOFT)), *(q - SOFT)])
    assert both.get_ylim()[1] > 2 * (q - SOFT).max()


def test_curves_run_into_their_limits(book_style):
    axes = sg.plots.draw_high_temperature_limit(Figure(), EXAMPLE, TEACHER)
    curves = [line for line in axes.lines if line.get_linestyle() == "-"][:3]
    dashed = [line for line in axes.lines if line.get_linestyle() == "--"]
    difference = EXAMPLE - TEACHER
    limits = (difference - difference.mean()) / 3
    for curve, line, limit in zip(curves, dashed, limits, strict=True):
        assert line.get_ydata()[0] == pytest.approx(limit, rel=1e-12)
        assert curve.get_ydata()[-1] == pytest.approx(limit, abs=2e-3)
        # At T = 1 it is q - p.
        at_one = np.interp(1.0, curve.get_xdata(), curve.get_ydata())
        index = curves.index(curve)
        expected = np.exp(EXAMPLE)[index] / 6 - np.exp(TEACHER)[index] / 4
        assert at_one == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (
            lambda f: sg.plots.draw_tug_of_war(f, [[1.0, 2.0]], [0]),
            "logits must be one",
        ),
        (
            lambda f: sg.plots.draw_tug_of_war(f, [1.0, -np.inf], 0),
            "logits must be one row of finite numbers",
        ),
        (
            lambda f: sg.plots.draw_tug_of_war(f, [1.0, 2.0], [0.5, 0.6]),
            r"targets must sum to one, got \[0.5, 0.6\]",
        ),
        (lambda f: sg.plots.draw_chain_rule_terms(f, [1.0, 2.0], 2), "targets must"),
        (
            lambda f: sg.plots.draw_raised_logit(f, [1.0, 2.0], raised=2),
            "raised must be a class index from 0 to 1, got 2",
        ),
        (
            lambda f: sg.plots.draw_raised_logit(f, [1.0, 2.0], raised=1.0),
            "raised must be a class index from 0 to 1, got 1.0",
        ),
        (lambda f: sg.plots.draw_softmax_steps(f, [np.nan, 2.0]), "logits must"),
        (
            lambda f: sg.plots.draw_rising_logit(f, [1.0, 2.0], raised=-1),
            "raised must be a class index from 0 to 1, got -1",
        ),
        (
            lambda f: sg.plots.draw_rising_logit(f, [1.0, 2.0], raised=0, reach=0.0),
            "reach must be positive and finite, got 0.0",
        ),
        (
            lambda f: sg.plots.draw_softmax_surface(f, reach=np.inf),
            "reach must be positive and finite, got inf",
        ),
        (
            lambda f: sg.plots.draw_descent(f, [1.0, 2.0], 0),
            r"logits must be three numbers, got \[1.0, 2.0\]",
        ),
        (
            lambda f: sg.plots.draw_descent(f, [1.0, 2.0, 3.0], [1.0, 1.0, 0.0]),
            "targets must sum to one",
        ),
        (
            lambda f: sg.plots.draw_temperature(f, [1.0, 2.0], 0, temperature=0.0),
            "temperature must be",
        ),
        (
            lambda f: sg.plots.draw_high_temperature_limit(f, [1.0, 2.0], [1.0]),
            "teacher_logits must have",
        ),
    ],
)
def test_a_picture_refuses_bad_input_before_it_draws(draw, message):
    figure = Figure()
    with pytest.raises(ValueError, match=message):
        draw(figure)
    assert figure.axes == []


def test_figure_is_drawn_without_a_warning(book_style):
    figure = Figure(figsize=(6.5, 3.8))
    left, right = figure.subplots(1, 2)
    labels = [rf"$q_{i}$" for i in range(4)]
    sg.plots.draw_matrix(left, JACOBIAN, row_labels=labels)
    (line,) = right.plot([1, 10], [1.0, 0.1])
    label = sg.plots.label_line(right, line, "label outside the axes")
    figure.canvas.draw()
    # Constrained layout keeps the direct label inside the figure.
    assert label.get_window_extent().x1 <= figure.bbox.x1
