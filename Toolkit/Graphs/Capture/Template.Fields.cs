using System.Reflection;
using System.Runtime.CompilerServices;
using Toolkit.Graphs.Il;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <content>Objects of the program's own types: a record of results, say.</content>
internal abstract partial class Template
{
    private const BindingFlags Declared = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    /// <summary>A name with its article.</summary>
    public static string Article(string name) => (name is ['A' or 'E' or 'I' or 'O' or 'U' or 'a' or 'e' or 'i' or 'o' or 'u', ..] ? "an " : "a ") + name;

    /// <summary>An object that is made again without its constructor, field by field.</summary>
    private sealed class Fields(Type type, (FieldInfo Field, Template Value)[] fields) : Template
    {
        [ThreadStatic]
        private static HashSet<object>? _open;

        private (Type Type, (FieldInfo Field, Template Value)[] Fields) Own => (type, fields);

        /// <summary>Takes an object apart; null where it holds what cannot be made again, or itself.</summary>
        public static Template? Of(object value, Func<object?, Template?> part)
        {
            var type = value.GetType();
            if (value is nn.Module or Delegate or IDisposable || (type.IsDefined(typeof(CompilerGeneratedAttribute)) && !type.Name.Contains("AnonymousType", StringComparison.Ordinal)))
            {
                return null;
            }

            _open ??= new(ReferenceEqualityComparer.Instance);
            if (!_open.Add(value))
            {
                return null;
            }

            try
            {
                var fields = new List<(FieldInfo, Template)>();
                foreach (var field in All(type))
                {
                    if (part(field.GetValue(value)) is not { } template)
                    {
                        return null;
                    }

                    fields.Add((field, template));
                }

                return new Fields(type, [.. fields]);
            }
            finally
            {
                _open.Remove(value);
            }
        }

        public override bool IsSame(Template other) => other is Fields { Own: var own } && own.Type == type && AreSame([.. own.Fields.Select(entry => entry.Value)], [.. fields.Select(entry => entry.Value)]);

        public override object? Fill(Func<int, Tensor> tensors)
        {
            var made = RuntimeHelpers.GetUninitializedObject(type);
            foreach (var (field, value) in fields)
            {
                field.SetValue(made, value.Fill(tensors));
            }

            return made;
        }

        public override ResultPart Describe() => throw new CompiledArtifactException($"{Article(MemberNames.Of(type))} is returned, which an artifact cannot make again without the program: return a tuple");

        private static IEnumerable<FieldInfo> All(Type? type)
        {
            for (; type is not null && type != typeof(object); type = type.BaseType)
            {
                foreach (var field in type.GetFields(Declared))
                {
                    yield return field;
                }
            }
        }
    }
}
