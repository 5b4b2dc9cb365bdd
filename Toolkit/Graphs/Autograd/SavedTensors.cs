using System.Collections;
using System.Reflection;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Autograd;

/// <summary>
/// What autograd keeps for a custom function. TorchSharp gives all of it or nothing, and nothing where one of the tensors was changed in place: some of them are taken here without the others.
/// </summary>
internal static class SavedTensors
{
    private const BindingFlags Own = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;
    private static readonly FieldInfo? _saved = typeof(autograd.AutogradContext).GetField("_savedVariables", Own);
    private static readonly FieldInfo? _node = typeof(autograd.AutogradContext).GetField("_node", Own);
    private static readonly MethodInfo? _unpack = _saved?.FieldType.GenericTypeArguments is [var type] ? type.GetMethod("unpack", Own) : null;

    /// <summary>Whether some can be taken without the others.</summary>
    public static bool IsAvailable => _node is not null && _unpack is not null;

    /// <summary>Takes some of them.</summary>
    /// <param name="context">Where they are kept.</param>
    /// <param name="start">The first.</param>
    /// <param name="count">How many.</param>
    /// <exception cref="System.Runtime.InteropServices.ExternalException">One was changed in place.</exception>
    public static Tensor[] Take(autograd.AutogradContext context, int start, int count)
    {
        if (!IsAvailable)
        {
            return [.. context.get_saved_variables().Skip(start).Take(count)];
        }

        var (all, node) = ((IList)_saved!.GetValue(context)!, _node!.GetValue(context));
        var tensors = new Tensor[count];
        for (var i = 0; i < count; i++)
        {
            tensors[i] = (Tensor)_unpack!.Invoke(all[start + i], BindingFlags.DoNotWrapExceptions, null, [node], null)!;
        }

        return tensors;
    }
}
