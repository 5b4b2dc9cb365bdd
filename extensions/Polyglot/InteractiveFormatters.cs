using Toolkit.Display;
using HostFormatter = Microsoft.DotNet.Interactive.Formatting.Formatter;

namespace Toolkit.Polyglot;

/// <summary>
/// Registers with .NET Interactive's formatters every type that Toolkit's <see cref="Formatter"/> has one for, now or later. What Toolkit has
/// no formatter for (strings, dictionaries, the user's own types) stays as .NET Interactive shows it.
/// </summary>
internal static class InteractiveFormatters
{
    private static readonly HashSet<Type> Known = [];
    private static readonly Lock Gate = new();
    private static InteractiveHost? _host;
    private static (object Value, MimeBundle Bundle)? _pending;

    /// <summary>Registers all types; charts find their library through the host.</summary>
    public static void Register(InteractiveHost host)
    {
        lock (Gate)
        {
            var first = _host is null;
            _host = host;
            if (first)
            {
                Formatter.TypeRegistered += type => Follow(type, ours: false);
            }
        }

        foreach (var type in Formatter.RegisteredTypes.Append(typeof(IDisplayable)).Append(typeof(MimeBundle)))
        {
            Follow(type, ours: true);
        }

        // What Show returns has been shown already.
        Silence(typeof(DisplayHandle));
    }

    private static void Follow(Type type, bool ours)
    {
        lock (Gate)
        {
            if (!Known.Add(type))
            {
                return;
            }
        }

        Add(type);
        if (ours && !type.IsGenericTypeDefinition)
        {
            // A list of Toolkit's records is a table, as in its own sessions; a list of anything else is what .NET Interactive makes of it.
            Add(typeof(IEnumerable<>).MakeGenericType(type));
        }
    }

    private static void Add(Type type)
    {
        HostFormatter.SetPreferredMimeTypesFor(type, MimeBundle.HtmlType, MimeBundle.PlainType);
        HostFormatter.Register(type, (value, writer) => writer.Write(Html(value)), MimeBundle.HtmlType);
        HostFormatter.Register(type, (value, writer) => writer.Write(Plain(value)), MimeBundle.PlainType);
    }

    private static void Silence(Type type)
    {
        HostFormatter.SetPreferredMimeTypesFor(type, MimeBundle.HtmlType);
        HostFormatter.Register(type, (_, _) => { }, MimeBundle.HtmlType);
    }

    private static string Html(object value)
    {
        var bundle = Formatter.Format(value);
        lock (Gate)
        {
            _pending = (value, bundle);
            _host?.BringPlotly(bundle);
        }

        return BundleText.Html(bundle);
    }

    // The host asks for the two representations one after the other: a sequence that works while it is enumerated must not run twice.
    private static string Plain(object value)
    {
        lock (Gate)
        {
            if (_pending is { } pending && ReferenceEquals(pending.Value, value))
            {
                _pending = null;
                return pending.Bundle.Plain;
            }
        }

        return Formatter.Format(value).Plain;
    }
}
