using System.Security.Cryptography;
using System.Text;
using DynamicObj;
using Newtonsoft.Json;
using Plotly.NET;
using Plotly.NET.LayoutObjects;

namespace Toolkit.Display;

/// <summary>A Plotly.NET figure and the ways to carry it: its JSON, and an HTML fragment that draws it once plotly.js is there.</summary>
internal sealed class PlotlyFigure
{
    public const string MimeType = "application/vnd.plotly.v1+json";

    private const string Waiting = "This chart waits for plotly.js, which the output of the first chart carried: run that cell again (#!toolkit-plotly in .NET Interactive).";

    private const string Muted = "#7d8590";

    private const string Grid = "rgba(128,128,128,.22)";

    private static readonly JsonSerializerSettings Settings = new() { ReferenceLoopHandling = ReferenceLoopHandling.Serialize };

    private readonly string _json;

    public PlotlyFigure(string title, int height, IEnumerable<Trace> traces, params ReadOnlySpan<(string Name, object Value)> layout)
    {
        var whole = new Layout();
        whole.SetProperty("title", new Title().With("text", title).With("x", 0.01).With("font", Font(15)));
        whole.SetProperty("height", height);
        whole.SetProperty("autosize", true);
        whole.SetProperty("paper_bgcolor", "rgba(0,0,0,0)");
        whole.SetProperty("plot_bgcolor", "rgba(0,0,0,0)");
        whole.SetProperty("font", Font(12));
        whole.SetProperty("legend", new Legend().With("orientation", "h").With("x", 0).With("y", 1.0).With("yanchor", "bottom"));
        whole.SetProperty("hovermode", "x unified");
        whole.SetProperty("margin", new Margin().With("t", 76).With("b", 48).With("l", 60).With("r", 24));
        whole.SetProperty("modebar", new Dictionary<string, object> { ["bgcolor"] = "rgba(0,0,0,0)", ["color"] = "rgba(128,128,128,.5)", ["activecolor"] = Muted });
        foreach (var (name, value) in layout)
        {
            whole.SetProperty(name, value);
        }

        // Not GenericChart.toFigureJson, which writes the same: it begins with HTML pages of its own, which fail to load in hosts that bring
        // an older FSharp.Core (.NET Interactive).
        var figure = JsonConvert.SerializeObject(new { data = traces, layout = whole, frames = Array.Empty<object>() }, Formatting.None, Settings);
        // "<" and "&" only ever stand inside JSON strings, where an escape means the same and the page cannot misread it.
        _json = figure.Replace("<", "\\u003c").Replace(">", "\\u003e").Replace("&", "\\u0026");
    }

    public string Json => _json;

    public string Html
    {
        get
        {
            var id = "tk-" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(_json)))[..16];
            return $$"""
                <div class="tk-chart"><div id="{{id}}" style="width:100%"></div><script>
                (function(){var figure={{_json}},tries=0;
                function draw(){var found=document.querySelectorAll('[id="{{id}}"]');
                if(!window.Plotly||!found.length){tries+=1;
                if(tries===60){found.forEach(function(place){place.waits=true;place.textContent='{{Waiting}}';});}
                if(found.length||1200>tries){setTimeout(draw,tries>1200?2000:50);}return;}
                found.forEach(function(place){if(place.waits){place.waits=false;place.textContent='';}
                var f=JSON.parse(JSON.stringify(figure)),ink=getComputedStyle(place).color;
                if(ink){f.layout.font.color=ink;f.layout.title.font.color=ink;}
                window.Plotly.react(place,f.data,f.layout,{responsive:true,displaylogo:false});});}
                draw();})();
                </script></div>
                """;
        }
    }

    public MimeBundle Bundle(string plain) => new(new Dictionary<string, string>
    {
        [MimeBundle.HtmlType] = Html,
        [MimeType] = _json,
        [MimeBundle.PlainType] = plain,
    })
    {
        NeedsPlotly = true,
    };

    public static LinearAxis Axis(string title) => new LinearAxis()
        .With("title", new Title().With("text", title).With("standoff", 8))
        .With("gridcolor", Grid)
        .With("zerolinecolor", Grid)
        .With("automargin", true);

    /// <summary>JSON has no NaN: what is not finite becomes null, which plotly draws as a gap.</summary>
    public static object?[] Values(IEnumerable<double> values) => [.. values.Select(value => double.IsFinite(value) ? (object?)value : null)];

    private static Font Font(int size) => new Font().With("size", size).With("color", Muted);
}

/// <summary>Sets properties of Plotly.NET objects one after another: C# sees its F# optional arguments as required ones.</summary>
internal static class PlotlyProperties
{
    public static T With<T>(this T target, string name, object value)
        where T : DynamicObj.DynamicObj
    {
        target.SetProperty(name, value);
        return target;
    }
}
