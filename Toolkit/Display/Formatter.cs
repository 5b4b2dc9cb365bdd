using System.Collections.Concurrent;

namespace Toolkit.Display;

/// <summary>How values become <see cref="MimeBundle"/>s: one function a type, found for derived types and interfaces too.</summary>
public static class Formatter
{
    private static readonly ConcurrentDictionary<Type, Func<object, MimeBundle>> Registered = new();

    static Formatter() => RecordFormats.Register();

    /// <summary>Raised after a formatter was registered, with its type: a host that keeps formatters of its own follows.</summary>
    public static event Action<Type>? TypeRegistered;

    /// <summary>The types that a formatter was registered for, the library's own among them.</summary>
    public static IReadOnlyCollection<Type> RegisteredTypes => [.. Registered.Keys];

    /// <summary>Registers how values of <typeparamref name="T"/> are shown; a later registration replaces an earlier one.</summary>
    public static void Register<T>(Func<T, MimeBundle> format)
    {
        Registered[typeof(T)] = value => format((T)value);
        TypeRegistered?.Invoke(typeof(T));
    }

    /// <summary>Registers an HTML representation of <typeparamref name="T"/>; <paramref name="plain"/> defaults to <c>ToString</c>.</summary>
    public static void Register<T>(Func<T, string> html, Func<T, string>? plain = null) =>
        Register<T>(value => MimeBundle.Of(html(value), plain?.Invoke(value) ?? value?.ToString() ?? ""));

    /// <summary>The bundle of any value. An <see cref="IDisplayable"/> draws itself; then registered formatters of its type, base types and interfaces; then defaults.</summary>
    public static MimeBundle Format(object? value)
    {
        switch (value)
        {
            case null: return MimeBundle.Of("<pre>null</pre>", "null");
            case MimeBundle bundle: return bundle;
            case IDisplayable displayable: return displayable.ToMimeBundle();
        }

        for (var type = value.GetType(); type is not null; type = type.BaseType)
        {
            if (Registered.TryGetValue(type, out var format) || (type.IsGenericType && Registered.TryGetValue(type.GetGenericTypeDefinition(), out format)))
            {
                return format(value);
            }
        }

        foreach (var contract in value.GetType().GetInterfaces())
        {
            if (Registered.TryGetValue(contract, out var format))
            {
                return format(value);
            }
        }

        return DefaultFormat.Of(value);
    }
}

/// <summary>A value of the Display room that knows its own representations.</summary>
public interface IDisplayable
{
    /// <summary>All representations of this value.</summary>
    MimeBundle ToMimeBundle();
}
