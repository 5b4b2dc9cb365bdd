using Toolkit.Display;

namespace Notebook.Tests.Polyglot;

/// <summary>Outputs, live outputs and plotly.js in .NET Interactive, and what becomes of failures, which the host would swallow.</summary>
public sealed class DisplayTests(PackedExtension package) : IDisposable
{
    private const string Library = "plotly.js v";

    private readonly InteractiveProcess _process = new(package);

    public void Dispose() => _process.Dispose();

    [Fact]
    public void A_training_run_is_one_output_that_is_replaced()
    {
        Load();
        Samples.Steps(10).ShowLive(interval: TimeSpan.Zero);

        var (library, live) = (_process.Shown[0], _process.Shown[1..]);
        Assert.Contains(Library, library.Parts["text/html"]);
        Assert.False(live[0].Update);
        Assert.All(live[1..], output => Assert.True(output.Update));
        Assert.All(live, output => Assert.Equal(live[0].Id, output.Id));
        Assert.NotEqual(library.Id, live[0].Id);
        Assert.Equal(11, live.Count);
        Assert.Contains("10/10 steps", live[^1].Parts["text/plain"]);
        Assert.Equal(Formatter.Format(new TrainingProgress(Samples.Steps(10), final: true)).Html, live[^1].Parts["text/html"]);
    }

    [Fact]
    public void Plotly_comes_once_whoever_asks_first()
    {
        Load();
        new MemoryChart(Samples.Memory).Show();
        _process.Format(new LossChart(Samples.Steps(3)), "text/html");
        new LossChart(Samples.Steps(3)).Show();

        Assert.Equal([true, false, false], _process.Shown.Select(output => output.Parts["text/html"].Contains(Library, StringComparison.Ordinal)));
    }

    [Fact]
    public void Plotly_stands_before_a_chart_that_is_a_cell_s_value()
    {
        Load();
        var html = _process.Format(new LossChart(Samples.Steps(3)), "text/html");

        Assert.DoesNotContain(Library, html);
        Assert.Contains(Library, Assert.Single(_process.Shown).Parts["text/html"]);
        Assert.Equal("plotly.js", _process.Shown[0].Parts["text/plain"]);
    }

    [Fact]
    public void Plotly_is_still_due_where_no_cell_could_show_it()
    {
        Load();
        _process.HasCell = false;
        _process.Format(new LossChart(Samples.Steps(3)), "text/html");
        _process.HasCell = true;
        new LossChart(Samples.Steps(3)).Show();

        Assert.Equal(2, _process.Shown.Count);
        Assert.Contains(Library, _process.Shown[0].Parts["text/html"]);
    }

    [Fact]
    public void Cancelling_the_cell_ends_a_run_and_keeps_what_it_had_shown()
    {
        Load();
        using var cancellation = new CancellationTokenSource();
        _process.Cancellation = cancellation.Token;
        var taken = 0;
        var run = Samples.Steps(100).Select(step =>
        {
            taken++;
            if (step.Step == 5)
            {
                cancellation.Cancel();
            }

            return step;
        });

        Assert.Throws<OperationCanceledException>(() => run.ShowLive(interval: TimeSpan.Zero));
        Assert.Equal(5, taken);
        Assert.Contains("5/100 steps", _process.Shown[^1].Parts["text/plain"]);
    }

    [Fact]
    public void Text_streams_to_the_console_that_the_host_captures()
    {
        Load();
        Assert.Equal("streamed text", Captured(Console.Out, Console.SetOut, () =>
        {
            Output.Write("streamed ");
            Output.Write("text");
        }));
        Assert.Empty(_process.Shown);
    }

    [Fact]
    public void Without_a_cell_the_console_gets_the_text()
    {
        Load();
        _process.HasCell = false;

        Assert.Equal("plain" + Environment.NewLine, Captured(Console.Out, Console.SetOut, () => MimeBundle.Of("<i>html</i>", "plain").Show()));
    }

    [Fact]
    public void A_picture_without_html_becomes_one()
    {
        Load();
        new MimeBundle(new Dictionary<string, string> { ["image/png"] = "QUJD\n", ["text/plain"] = "a \"picture\"" }).Show();
        new MimeBundle(new Dictionary<string, string> { ["image/svg+xml"] = "<svg/>", ["text/plain"] = "drawing" }).Show();
        MimeBundle.Text("a < b").Show();

        Assert.Equal(
            ["<img alt=\"a &quot;picture&quot;\" src=\"data:image/png;base64,QUJD\">", "<svg/>", "<pre style=\"white-space:pre-wrap\">a &lt; b</pre>"],
            _process.Shown.Select(output => output.Parts["text/html"]));
    }

    [Fact]
    public void Loading_says_so()
    {
        Assert.True(_process.Load());

        var output = Assert.Single(_process.Shown);
        Assert.Contains("Toolkit 0.1.0 with libtorch 2.", output.Parts["text/plain"]);
    }

    [Fact]
    public void A_failure_while_loading_is_shown_in_the_cell()
    {
        var calls = 0;
        _process.OnDisplay = () =>
        {
            if (calls++ == 0)
            {
                throw new InvalidOperationException("no <place> for it");
            }
        };

        Assert.False(_process.Load());
        var output = Assert.Single(_process.Shown);
        Assert.Contains("no &lt;place&gt; for it", output.Parts["text/html"]);
        Assert.Contains("InvalidOperationException", output.Parts["text/plain"]);
    }

    [Fact]
    public void A_failure_that_cannot_be_shown_goes_to_the_error_stream()
    {
        _process.OnDisplay = () => throw new InvalidOperationException("no place at all");

        var loaded = true;
        var text = Captured(Console.Error, Console.SetError, () => loaded = _process.Load());

        Assert.False(loaded);
        Assert.Contains("Toolkit.Polyglot could not be loaded: no place at all", text);
    }

    [Fact]
    public void Loading_twice_shows_things_once()
    {
        Load();
        Load();
        1.Show();

        Assert.Single(_process.Shown);
    }

    private void Load()
    {
        Assert.True(_process.Load());
        _process.Shown.Clear();
    }

    private static string Captured(TextWriter before, Action<TextWriter> set, Action action)
    {
        using var text = new StringWriter();
        set(text);
        try
        {
            action();
        }
        finally
        {
            set(before);
        }

        return text.ToString();
    }
}
