using Microsoft.Data.Analysis;
using Toolkit.Display;
using Toolkit.Training;
using TorchSharp;

namespace Notebook.Tests.Polyglot;

/// <summary>What a cell of .NET Interactive shows is what a cell of Toolkit's own kernel shows.</summary>
public sealed class FormattingTests : IDisposable
{
    private readonly InteractiveProcess _process;

    public FormattingTests(PackedExtension package)
    {
        _process = new InteractiveProcess(package);
        Assert.True(_process.Load());
    }

    public static TheoryData<string> Names => [.. Samples.Values.Keys];

    public void Dispose() => _process.Dispose();

    [Theory]
    [MemberData(nameof(Names))]
    public void The_html_is_that_of_the_kernel(string name)
    {
        var value = Samples.Values[name];
        var kernel = Formatter.Format(value);

        Assert.Equal([MimeBundle.HtmlType, MimeBundle.PlainType], _process.MimeTypes(value.GetType()));
        Assert.Equal(kernel.Html, _process.Format(value, MimeBundle.HtmlType));
        Assert.Equal(kernel.Plain, _process.Format(value, MimeBundle.PlainType));
        Assert.NotEqual("", kernel.Html);
    }

    [Fact]
    public void Every_displayable_type_has_a_sample_here()
    {
        var own = typeof(Formatter).Assembly;
        var shown = Formatter.RegisteredTypes.Where(type => type == typeof(Exception) || new[] { own, typeof(torch).Assembly, typeof(DataFrame).Assembly }.Contains(type.Assembly))
            .Concat(own.GetExportedTypes().Where(type => type is { IsClass: true, IsAbstract: false } && type.IsAssignableTo(typeof(IDisplayable))))
            .Where(type => type != typeof(DisplayHandle)) // no output of its own
            .ToArray();

        Assert.Contains(typeof(TrainingStep), shown);
        Assert.Contains(typeof(LossChart), shown);
        Assert.All(shown, type => Assert.True(Samples.Values.Values.Any(type.IsInstanceOfType), $"{type} is displayable, but Samples has no value of it."));
    }

    [Fact]
    public void What_is_not_Toolkit_s_stays_the_host_s()
    {
        Assert.Equal(["text/plain"], _process.MimeTypes(typeof(string)));
        Assert.Equal(["text/html"], _process.MimeTypes(typeof(Dictionary<string, int>)));
        Assert.DoesNotContain("tk-box", _process.Format(new[] { 1, 2 }, "text/html"));
    }

    [Fact]
    public void A_tensor_within_an_object_of_the_user_is_shown_as_a_tensor() =>
        Assert.Contains("tensor (2) float32", _process.Format(new { Weights = torch.ones(2) }, "text/html"));

    [Fact]
    public void A_formatter_that_the_user_registers_later_counts_too()
    {
        Formatter.Register<Temperature>(value => $"<b>{value.Degrees} degrees</b>", value => $"{value.Degrees} degrees");

        Assert.Equal("<b>21 degrees</b>", _process.Format(new Temperature(21), "text/html"));
        Assert.Equal("21 degrees", _process.Format(new Temperature(21), "text/plain"));
    }

    [Fact]
    public void A_sequence_that_works_while_it_is_read_runs_once()
    {
        var runs = 0;

        IEnumerable<TrainingStep> Lazy()
        {
            runs++;
            yield return Samples.Steps(1)[0];
        }

        var steps = Lazy();
        Assert.Contains("tk-table", _process.Format(steps, "text/html"));
        Assert.Contains("1 row", _process.Format(steps, "text/plain"));
        Assert.Equal(1, runs);

        Assert.Contains("1 row", _process.Format(steps, "text/plain"));
        Assert.Equal(2, runs);
    }

    [Fact]
    public void A_display_handle_that_ends_a_cell_shows_nothing_more() => Assert.Equal("", _process.Format(1.Show(), "text/html"));

    private sealed record Temperature(int Degrees);
}
