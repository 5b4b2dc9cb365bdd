"""Drives the classic Jupyter Notebook in a headless browser: open, run all, a chart that changes while its cell runs, Tab, an endless loop interrupted, restart.

Usage: jupyter_page.py URL NOTEBOOK PICTURES
"""
import os
import sys
import time

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

url, notebook, pictures = sys.argv[1:4]
os.makedirs(pictures, exist_ok=True)
failures = 0


def check(what, holds, detail=""):
    global failures
    print(f"{'ok' if holds else 'FAILED'}: {what} {detail}", flush=True)
    failures += not holds


options = webdriver.ChromeOptions()
options.binary_location = "/usr/bin/chromium"
for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1280,1600"):
    options.add_argument(argument)
browser = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)


def js(script, *arguments):
    return browser.execute_script(script, *arguments)


def wait(what, condition, seconds=120):
    end = time.time() + seconds
    while time.time() < end:
        if condition():
            return True
        time.sleep(0.05)
    print(f"waited {seconds} s for: {what}", flush=True)
    return False


def idle():
    return js("return Jupyter.notebook.kernel && Jupyter.notebook.kernel.is_connected() && !Jupyter.notebook.kernel_busy "
              "&& Jupyter.notebook.get_cells().every(c => !c.element || !c.element.hasClass('running'))")


def picture(name):
    browser.save_screenshot(os.path.join(pictures, name))


def append(code):
    return js("var n = Jupyter.notebook; var c = n.insert_cell_at_bottom('code'); c.set_text(arguments[0]); n.select(n.ncells() - 1); return n.ncells() - 1", code)


def run(index):
    js("Jupyter.notebook.select(arguments[0]); Jupyter.notebook.execute_cell()", index)


def outputs(index):
    return js("return Jupyter.notebook.get_cell(arguments[0]).output_area.outputs.map(o => o.text || (o.data && (o.data['text/plain'] || '')) || o.ename || '').join('\\n')", index)


browser.get(f"{url}/notebooks/{notebook}")
check("the notebook opens with the C# kernel", wait("a kernel", lambda: js("return !!(window.Jupyter && Jupyter.notebook && Jupyter.notebook.kernel && Jupyter.notebook.kernel.is_connected())")),
      js("return Jupyter.notebook.kernel && Jupyter.notebook.kernel.name"))
wait("the kernel to be ready", idle)
js("Jupyter.notebook.execute_all_cells()")
check("every cell runs", wait("all cells", lambda: js(
    "return Jupyter.notebook.get_cells().filter(c => c.cell_type == 'code').every(c => typeof c.input_prompt_number == 'number')") and idle(), 240))

# Once more, now that the browser has read the drawing library: what is drawn while the cell runs.
live = set()
index = js("return Jupyter.notebook.get_cells().findIndex(c => c.get_text().includes('LossChart'))")
run(index)


def states():
    live.update(js("return Array.from(Jupyter.notebook.get_cell(arguments[0]).element[0].querySelectorAll('.js-plotly-plot')).map(p => String((p.data[0].x || []).length))", index))
    return idle()


time.sleep(0.2)
wait("the chart's cell", states, 60)
check("a chart changes while its cell runs", len(live) > 2, f"{len(live)} states seen: {sorted(live, key=int)}")
check("charts are drawn", js("return document.querySelectorAll('.js-plotly-plot .main-svg').length") > 0)
check("no cell failed", js("return document.querySelectorAll('.output_error').length") == 0)
js("var p = document.querySelector('.js-plotly-plot'); if (p) { p.scrollIntoView(); }")
time.sleep(0.5)
picture("run-all.png")

index = append("Math.Sq")
js("Jupyter.notebook.select(arguments[0]); Jupyter.notebook.edit_mode(); var e = Jupyter.notebook.get_cell(arguments[0]).code_mirror; e.focus(); e.setCursor(0, 7); Jupyter.notebook.get_cell(arguments[0]).element[0].scrollIntoView()", index)
time.sleep(0.5)
ActionChains(browser).send_keys(Keys.TAB).perform()
completed = wait("completion", lambda: "Math.Sqrt" in js("return Jupyter.notebook.get_cell(arguments[0]).get_text()", index) or js("return document.querySelectorAll('#complete, .completions').length") > 0, 20)
picture("completion.png")
check("Tab completes", completed, js("return Jupyter.notebook.get_cell(arguments[0]).get_text()", index))
ActionChains(browser).send_keys(Keys.ESCAPE).perform()

index = append("var kept = 42; while (true) { }")
run(index)
wait("the loop to run", lambda: js("return Jupyter.notebook.kernel_busy"), 20)
time.sleep(1)
begin = time.time()
js("Jupyter.notebook.kernel.interrupt()")
ended = wait("the interrupt", idle, 20)
check("an endless loop is interrupted", ended and "OperationCanceledException" in outputs(index), f"{(time.time() - begin) * 1000:.0f} ms")
index = append("kept")
run(index)
wait("the next cell", lambda: outputs(index) != "", 20)
check("variables are kept", outputs(index).strip() == "42", outputs(index))
js("Jupyter.notebook.get_cell(arguments[0]).element[0].scrollIntoView()", index)
picture("interrupted.png")

js("Jupyter.notebook.kernel.restart()")
time.sleep(1)
wait("the restarted kernel", idle, 60)
index = append("kept + 1")
run(index)
wait("the cell after the restart", lambda: outputs(index) != "", 60)
check("a restarted kernel is new", "CS0103" in outputs(index), outputs(index)[:80])

index = append("Func<int, int> down = null; down = n => down(n + 1) + 1; down(0)")
run(index)
died = wait("the kernel to die and come back", lambda: js("return Jupyter.notebook.kernel.is_connected()") and js("return Jupyter.notebook.get_cells().length") > index and js("return document.body.innerText").count("Dead kernel") + js("return document.body.innerText").count("Kernel Restarting") > 0, 60)
check("a process that overflows its stack is restarted by Jupyter", died)
js("var b = document.querySelector('.modal .btn-primary'); if (b) { b.click(); }")
time.sleep(2)
wait("the new kernel", lambda: js("return Jupyter.notebook.kernel.is_connected() && !Jupyter.notebook.kernel_busy"), 60)
index = append("6 * 7")
run(index)
wait("a cell after the crash", lambda: outputs(index) != "", 60)
check("the document is intact and the next cell runs", outputs(index).strip() == "42", outputs(index))
picture("after-crash.png")
browser.quit()
sys.exit(1 if failures else 0)
