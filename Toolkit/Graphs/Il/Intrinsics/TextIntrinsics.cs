using System.Reflection;
using System.Runtime.CompilerServices;

namespace Toolkit.Graphs.Il;

/// <summary>Interpolated strings.</summary>
internal static class TextIntrinsics
{
    private static readonly MethodInfo _toString = typeof(object).GetMethod(nameof(ToString))!;

    public static bool Try(Interpreter interpreter, MethodBase method, StackValue[] arguments, out StackValue result)
    {
        result = default;
        if (method.DeclaringType != typeof(DefaultInterpolatedStringHandler))
        {
            return false;
        }

        if (method.IsConstructor)
        {
            ((Location)arguments[0].Reference!).Store(StackValue.Struct(new InterpolatedText()));
            return true;
        }

        var text = (InterpolatedText)Intrinsics.Receiver(arguments[0])!;
        switch (method.Name)
        {
            case "AppendLiteral":
                text.Append((string?)arguments[1].Reference);
                return true;
            case "AppendFormatted":
                Append(interpreter, text, method.GetParameters(), arguments);
                return true;
            case "ToStringAndClear" or "ToString":
                result = StackValue.Object(text.ToStringAndClear());
                return true;
            default:
                throw new InterpreterException($"DefaultInterpolatedStringHandler.{method.Name}");
        }
    }

    private static void Append(Interpreter interpreter, InterpolatedText text, ParameterInfo[] parameters, StackValue[] arguments)
    {
        var value = arguments[1].ToObject(parameters[0].ParameterType);
        var (alignment, format) = (0, default(string));
        for (var i = 1; i < parameters.Length; i++)
        {
            if (parameters[i].ParameterType == typeof(int))
            {
                alignment = arguments[i + 1].Int32;
            }
            else
            {
                format = (string?)arguments[i + 1].Reference;
            }
        }

        if (value is not (null or SpanValue) && Storage.Of(value.GetType()) is StorageKind.Reference or StorageKind.Struct)
        {
            interpreter.Observer.BeforeNative(_toString, value, []);
        }

        text.Append(value, alignment, format);
    }
}
