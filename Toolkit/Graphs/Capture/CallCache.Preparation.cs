using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <content>What is done for a call before it comes.</content>
internal sealed partial class CallCache
{
    /// <summary>Compiles what would be compiled by the next call with these arguments. Where the first call filled tables the call is made again, as all later ones will be: numbers that it counts stay.</summary>
    public void Prepare(object?[] arguments)
    {
        Begin();
        try
        {
            MakeReady(arguments);
        }
        finally
        {
            _calls.End();
        }
    }

    private void MakeReady(object?[] arguments)
    {
        if (Array.Exists(_graphs, entry => entry.TryPrepare(arguments)) || _graphs is not [.., var last] || !last.FillsFields(arguments))
        {
            return;
        }

        var numbers = last.Fields.Where(effect => effect.Field.FieldType.IsPrimitive).Select(effect => (effect.Owner, effect.Field, Value: effect.Field.GetValue(effect.Owner))).ToArray();
        using var generator = get_rng_state();
        try
        {
            Call(arguments);
        }
        finally
        {
            set_rng_state(generator);
            Array.ForEach(numbers, number => number.Field.SetValue(number.Owner, number.Value));
        }

        Array.Exists(_graphs, entry => entry.TryPrepare(arguments));
    }
}
