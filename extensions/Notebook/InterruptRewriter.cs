using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Toolkit.Notebook;

/// <summary>
/// Makes a cell interruptible: loops and methods begin with <see cref="CellInterrupt.Check"/>, awaits go through <see cref="CellInterrupt.Await(Task)"/>.
/// No line is added, so errors and frames keep their line numbers.
/// </summary>
internal sealed class InterruptRewriter : CSharpSyntaxRewriter
{
    private const string Host = "global::Toolkit.Notebook.CellInterrupt";
    private static readonly CSharpParseOptions _options = new(LanguageVersion.Latest, kind: SourceCodeKind.Script);

    /// <summary>The code with its checks, or the code itself where it does not parse.</summary>
    public static string Rewrite(string code)
    {
        var tree = CSharpSyntaxTree.ParseText(code, _options);
        return tree.GetDiagnostics().Any(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error) ? code : new InterruptRewriter().Visit(tree.GetRoot()).ToFullString();
    }

    public override SyntaxNode? VisitWhileStatement(WhileStatementSyntax node) => node.WithStatement(Checked((StatementSyntax)Visit(node.Statement))).WithCondition((ExpressionSyntax)Visit(node.Condition));

    public override SyntaxNode? VisitDoStatement(DoStatementSyntax node) => node.WithStatement(Checked((StatementSyntax)Visit(node.Statement))).WithCondition((ExpressionSyntax)Visit(node.Condition));

    public override SyntaxNode? VisitForStatement(ForStatementSyntax node)
    {
        var inner = (ForStatementSyntax)base.VisitForStatement(node)!;
        return inner.WithStatement(Checked(inner.Statement));
    }

    public override SyntaxNode? VisitForEachStatement(ForEachStatementSyntax node)
    {
        var inner = (ForEachStatementSyntax)base.VisitForEachStatement(node)!;
        return inner.WithStatement(Checked(inner.Statement));
    }

    public override SyntaxNode? VisitForEachVariableStatement(ForEachVariableStatementSyntax node)
    {
        var inner = (ForEachVariableStatementSyntax)base.VisitForEachVariableStatement(node)!;
        return inner.WithStatement(Checked(inner.Statement));
    }

    public override SyntaxNode? VisitMethodDeclaration(MethodDeclarationSyntax node)
    {
        var inner = (MethodDeclarationSyntax)base.VisitMethodDeclaration(node)!;
        return inner.Body is { } body ? inner.WithBody(Entered(body))
            : inner.ExpressionBody is { } arrow && Body(arrow, inner.SemicolonToken, inner.ReturnType, inner.Modifiers) is { } block ? inner.WithExpressionBody(null).WithSemicolonToken(default).WithBody(block)
            : inner;
    }

    public override SyntaxNode? VisitLocalFunctionStatement(LocalFunctionStatementSyntax node)
    {
        var inner = (LocalFunctionStatementSyntax)base.VisitLocalFunctionStatement(node)!;
        return inner.Body is { } body ? inner.WithBody(Entered(body))
            : inner.ExpressionBody is { } arrow && Body(arrow, inner.SemicolonToken, inner.ReturnType, inner.Modifiers) is { } block ? inner.WithExpressionBody(null).WithSemicolonToken(default).WithBody(block)
            : inner;
    }

    public override SyntaxNode? VisitParenthesizedLambdaExpression(ParenthesizedLambdaExpressionSyntax node)
    {
        var inner = (ParenthesizedLambdaExpressionSyntax)base.VisitParenthesizedLambdaExpression(node)!;
        return inner.Block is { } body ? inner.WithBlock(Entered(body)) : inner;
    }

    public override SyntaxNode? VisitSimpleLambdaExpression(SimpleLambdaExpressionSyntax node)
    {
        var inner = (SimpleLambdaExpressionSyntax)base.VisitSimpleLambdaExpression(node)!;
        return inner.Block is { } body ? inner.WithBlock(Entered(body)) : inner;
    }

    public override SyntaxNode? VisitInvocationExpression(InvocationExpressionSyntax node)
    {
        var inner = (InvocationExpressionSyntax)base.VisitInvocationExpression(node)!;
        return inner.Expression is MemberAccessExpressionSyntax access && access.WithoutTrivia().ToString() is "Thread.Sleep" or "System.Threading.Thread.Sleep"
            ? inner.WithExpression(SyntaxFactory.ParseExpression($"{Host}.Sleep").WithTriviaFrom(inner.Expression))
            : inner;
    }

    /// <summary>A label is where a goto leads back to.</summary>
    public override SyntaxNode? VisitLabeledStatement(LabeledStatementSyntax node) => node.WithStatement(Checked((StatementSyntax)Visit(node.Statement)));

    public override SyntaxNode? VisitAwaitExpression(AwaitExpressionSyntax node)
    {
        var inner = (AwaitExpressionSyntax)base.VisitAwaitExpression(node)!;
        var operand = inner.Expression;
        var call = SyntaxFactory.ParseExpression($"{Host}.Await(X)") as InvocationExpressionSyntax;
        var argument = call!.ArgumentList.Arguments[0].WithExpression(operand.WithoutTrailingTrivia());
        return inner.WithExpression(call.WithArgumentList(call.ArgumentList.WithArguments([argument])).WithTrailingTrivia(operand.GetTrailingTrivia()));
    }

    private static BlockSyntax Entered(BlockSyntax body) => Begun(body, SyntaxFactory.ParseStatement($"{Host}.Enter();"));

    /// <summary>The statement stands on the line of the brace: the next line may be one of the preprocessor's.</summary>
    private static BlockSyntax Begun(BlockSyntax body, StatementSyntax first)
    {
        var brace = body.OpenBraceToken;
        return body.WithOpenBraceToken(brace.WithTrailingTrivia()).WithStatements(body.Statements.Insert(0, first.WithTrailingTrivia(brace.TrailingTrivia)));
    }

    /// <summary>The block that an expression stands for, on the same lines; null where that is not clear.</summary>
    private static BlockSyntax? Body(ArrowExpressionClauseSyntax arrow, SyntaxToken end, TypeSyntax type, SyntaxTokenList modifiers)
    {
        if (arrow.Expression is RefExpressionSyntax || arrow.ContainsDirectives || end.ContainsDirectives)
        {
            return null;
        }

        var name = type.ToString();
        var isAction = name == "void" || (modifiers.Any(SyntaxKind.AsyncKeyword) && name.Split('.')[^1] is "Task" or "ValueTask");
        var head = isAction || arrow.Expression is ThrowExpressionSyntax ? "" : "return ";
        // Parsed from text: what belongs to no statement as a node, such as a throw expression, becomes the statement of its text.
        var text = $"{{ {Host}.Enter(); {arrow.ArrowToken.LeadingTrivia}{arrow.ArrowToken.TrailingTrivia}{head}{arrow.Expression.ToFullString()};}}";
        return SyntaxFactory.ParseStatement(text, options: _options) is BlockSyntax block && !block.ContainsDiagnostics ? block.WithTrailingTrivia(end.TrailingTrivia) : null;
    }

    private static StatementSyntax Checked(StatementSyntax statement)
    {
        var check = SyntaxFactory.ParseStatement($"{Host}.Check();");
        switch (statement)
        {
            case BlockSyntax block:
                return Begun(block, check);
            case { ContainsDirectives: true }:
                return statement;
            case LocalDeclarationStatementSyntax or LocalFunctionStatementSyntax or LabeledStatementSyntax:
                // Behind a label these belong to the scope around it: a block would hide them.
                return statement;
            default:
                // The closing brace stands before what ends the line: it may be a comment.
                var open = SyntaxFactory.Token(SyntaxKind.OpenBraceToken);
                var close = SyntaxFactory.Token(SyntaxKind.CloseBraceToken).WithTrailingTrivia(statement.GetTrailingTrivia());
                return SyntaxFactory.Block(open, [check, statement.WithoutTrailingTrivia()], close);
        }
    }
}
