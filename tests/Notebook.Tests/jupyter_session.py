"""Drives the installed C# kernel with Jupyter's own client, as its front ends do. Prints what it saw; exits 1 where that is not what it should be."""
import sys
import threading
import time

from jupyter_client.manager import start_new_kernel

failures = []


def check(what, holds, seen=""):
    print(f"{'ok  ' if holds else 'FAIL'} {what} {seen}", flush=True)
    if not holds:
        failures.append(what)


begin = time.time()
manager, client = start_new_kernel(kernel_name=sys.argv[1])
print(f"kernel ready after {time.time() - begin:.2f} s")
with open(f"/proc/{manager.provisioner.pid}/status") as status:
    print("memory of the idle kernel: " + next(line.split()[1] for line in status if line.startswith("VmRSS")) + " kB")


def run(code, stdin=None):
    outputs = []
    started = time.time()
    reply = client.execute_interactive(code, output_hook=outputs.append, timeout=60, allow_stdin=stdin is not None, stdin_hook=lambda _: client.input(stdin))
    return reply["content"], [o for o in outputs if o["msg_type"] != "status"], time.time() - started


def plain(outputs):
    return [o["content"]["data"]["text/plain"] for o in outputs if o["msg_type"] == "execute_result"]


reply, outputs, _ = run("var x = 40; Console.WriteLine(x); x + 2")
check("a cell runs", reply["status"] == "ok" and plain(outputs) == ["42"], plain(outputs))
check("its text streams", [o["content"]["text"] for o in outputs if o["msg_type"] == "stream"] == ["40\n"])
reply, outputs, _ = run("await Task.Delay(5);\nthrow new InvalidOperationException(x.ToString());")
check("an error names its line", reply["status"] == "error" and "line 2" in reply["traceback"][0], reply["traceback"][:1])
reply, outputs, _ = run("torch.ones(2, 3).sum().item<float>()")
check("tensors work", plain(outputs) == ["6"], plain(outputs))
reply, outputs, _ = run("new LossChart([new TrainingStep(1, 2, 3, 4, 5, 6, 7, TimeSpan.Zero)])")
check("a chart is shown", any("text/html" in o["content"].get("data", {}) for o in outputs))
reply, outputs, _ = run("Console.ReadLine() + \"!\"", stdin="typed")
check("a cell reads a line", plain(outputs) == ["typed!"], plain(outputs))
threading.Timer(1.0, manager.interrupt_kernel).start()
reply, _, seconds = run("while (true) { }")
check("a cell is interrupted", reply["status"] == "error" and seconds < 5, f"{(seconds - 1) * 1000:.0f} ms")
reply, outputs, _ = run("x")
check("variables are kept", plain(outputs) == ["40"], plain(outputs))
times = sorted(run("1 + 1")[2] for _ in range(15))
print(f"round trip of a trivial cell: median {times[7] * 1000:.0f} ms")


def completion():
    started = time.time()
    client.complete("torch.nn.functional.re", 22, reply=True, timeout=30)
    return time.time() - started


completion()
times = sorted(completion() for _ in range(15))
print(f"completion with TorchSharp referenced: median {times[7] * 1000:.0f} ms")
run('#r "nuget: Humanizer.Core, 2.14.1"')

manager.restart_kernel()
client.wait_for_ready(timeout=60)
reply, _, _ = run("x")
reply, outputs, seconds = run('#r "nuget: Humanizer.Core, 2.14.1"\nusing Humanizer;\n"OneTwo".Humanize()')
check("a package that was fetched before", reply["status"] == "ok", f"{seconds * 1000:.0f} ms")
reply, _, _ = run("x")
check("a restarted kernel is new", reply["status"] == "error" and reply["ename"] == "CS0103", reply.get("ename"))
client.shutdown()
for _ in range(50):
    if not manager.is_alive():
        break
    time.sleep(0.1)
check("it shuts down", not manager.is_alive())
manager.cleanup_resources()
sys.exit(1 if failures else 0)
