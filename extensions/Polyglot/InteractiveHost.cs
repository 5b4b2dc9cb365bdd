using Toolkit.Display;

namespace Toolkit.Polyglot;

/// <summary>Shows Toolkit's outputs in the cell that runs, and replaces live ones there. plotly.js goes out once, before the first chart.</summary>
internal sealed class InteractiveHost(InteractiveDisplay display, Func<CancellationToken>? cancellation) : IDisplayHost
{
    private readonly Lock _gate = new();
    private bool _hasPlotly;
    private int _libraries;

    /// <inheritdoc/>
    public void Display(MimeBundle bundle, string displayId, bool update)
    {
        BringPlotly(bundle);
        var shown = display(BundleText.Parts(bundle), displayId, update);
        if (!shown && bundle.Completion is null)
        {
            // A thread that no cell started. The console is where .NET Interactive itself would write.
            Console.WriteLine(bundle.Plain);
        }

        // A verb that shows how far it is ends where it does so.
        if (bundle.Completion is not null)
        {
            Check();
        }
    }

    /// <inheritdoc/>
    public void Write(string text)
    {
        Console.Write(text);
        Check();
    }

    /// <summary>Sends plotly.js as an output of its own, if this chart is the first.</summary>
    public void BringPlotly(MimeBundle bundle)
    {
        lock (_gate)
        {
            if (bundle.NeedsPlotly && !_hasPlotly)
            {
                SendPlotly();
            }
        }
    }

    /// <summary>
    /// Sends plotly.js, which defines <c>window.Plotly</c> for all charts of the page, earlier ones too: they wait for it. Needed again only
    /// where a front end has dropped the output that carried it.
    /// </summary>
    public void SendPlotly()
    {
        lock (_gate)
        {
            var library = MimeBundle.Of(PlotlyScript.Element, "plotly.js");
            _hasPlotly = display(BundleText.Parts(library), $"toolkit-plotly-{++_libraries}", false);
        }
    }

    private void Check()
    {
        try
        {
            cancellation?.Invoke().ThrowIfCancellationRequested();
        }
        catch (ObjectDisposedException)
        {
            // Work that outlives its cell: there is nothing left that could cancel it.
        }
    }
}
