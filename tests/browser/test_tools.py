"The servers and the browser that the other tests here stand on: each is seen to work with the smallest notebook."
import pytest

CODE = """import ipywidgets as W
button,said = W.Button(description='press'),W.Label('not yet')
button.on_click(lambda _: setattr(said, 'value', 'pressed'))
W.VBox([button, said])"""

@pytest.mark.parametrize('where', ['voila', 'lab'])
def test_a_click_reaches_the_kernel(visit, shot, where):
    page = visit(CODE, where)
    page.get_by_role('button', name='press', exact=True).click(timeout=90000)
    page.get_by_text('pressed', exact=True).wait_for()
    assert not page.wrong
    shot(page, f'tools-{where}')
